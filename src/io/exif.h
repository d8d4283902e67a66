#pragma once
#include <string>
#include <string_view>

namespace w2w {

struct Exif {
  int orientation = 1;  ///< 1 upright, 2 to 8 mirrored and turned as in TIFF's tag 274
  std::string comment;  ///< UserComment as UTF-8
};

/// Reads the TIFF structure that follows "Exif\0\0". Damaged or foreign parts are skipped: cameras write
/// plenty of them.
Exif read_exif(std::string_view tiff);

/// A TIFF structure that holds just this UserComment, as UTF-16 big-endian.
std::string write_exif(const std::string& comment);

}  // namespace w2w
