#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "w2w/base/output_path.h"
#include "w2w/base/run.h"
#include "w2w/io/tensor_file.h"

namespace w2w {

struct Image {
  at::Tensor pixels;        ///< u8 [H, W, C], C = 3 (RGB) or 4 (RGB and alpha, not premultiplied)
  Metadata text;            ///< PNG text chunks as UTF-8; of a JPEG the EXIF UserComment as "parameters"
  at::Tensor indices = {};  ///< u8 [H, W] into the palette of a PNG or TIFF that has one, else undefined
  /// (height, width) of the file's picture, upright, where `pixels` holds it reduced.
  std::optional<std::pair<int64_t, int64_t>> full_size = {};
};

/// "PNG, JPEG, ...": the formats of read_image, for messages and help.
inline constexpr const char* picture_formats = "PNG, JPEG, WebP, GIF, TIFF, HEIC, AVIF, BMP or TGA";

/// Reads `picture_formats` by content, TGA by its extension, of an animated GIF the first frame; turned
/// upright as the file says. 16 bits are rounded to 8 (those of grey TIFFs cut, by libtiff); grey, palettes
/// and inks become RGB. A caller that resizes to at most `wanted_side` pixels a side says so: JPEGs of more
/// than 24 megapixels are then decoded reduced, to no less than twice that. Error(not_found) without the
/// file, Error(malformed) when it is none of these, damaged, cut short or has more than 268 megapixels.
Image read_image(const std::filesystem::path& path, std::optional<int64_t> wanted_side = {},
                 const Run& run = {});

/// Whether a file begins like a picture that read_image knows, or is called like a TGA.
bool begins_like_picture(const std::filesystem::path& path);
/// Whether its extension is that of such a picture.
bool is_named_like_picture(const std::filesystem::path& path);

/// `pixels` u8 [H, W, 3]. Each text becomes a tEXt chunk, or iTXt when it is not Latin-1. The same input
/// gives the same bytes.
void write_png(const OutputPath& output, const at::Tensor& pixels, const Metadata& text = {});

/// `pixels` u8 [H, W, 3], `quality` 1 to 100; `parameters` becomes the EXIF UserComment unless empty. Left
/// out with a warning when it exceeds the 64 kB of an EXIF block.
void write_jpeg(const OutputPath& output, const at::Tensor& pixels, int quality = 95,
                const std::string& parameters = {}, const Run& run = {});

/// By extension: .png with all of `text`, .jpg or .jpeg with text["parameters"]; Error(usage) for any other.
void write_image(const OutputPath& output, const at::Tensor& pixels, const Metadata& text = {},
                 const Run& run = {});

}  // namespace w2w
