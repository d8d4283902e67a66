#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace w2w {

struct Exif {
  int orientation = 0;  ///< TIFF's tag 274: 1 upright, 2 to 8 mirrored and turned; 0: it says nothing
  std::string comment;  ///< UserComment as UTF-8
};

/// What begins an EXIF block in JPEG files, and in some of other formats.
inline constexpr std::string_view exif_signature("Exif\0\0", 6);

/// Reads the TIFF structure that follows "Exif\0\0" (which may be there). Damaged or foreign parts are
/// skipped: cameras write plenty of them.
Exif read_exif(std::string_view tiff);

/// What EXIF says counts, XMP where EXIF says nothing, as for Pillow; 1 where neither does.
int orientation_of(const Exif& exif, std::string_view xmp);

/// `pixels` [H, W, C] as they are to be seen.
at::Tensor upright(const at::Tensor& pixels, int orientation);

/// A TIFF structure that holds just this UserComment, as UTF-16 big-endian.
std::string write_exif(const std::string& comment);

}  // namespace w2w
