#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>

#include "w2w/base/output_path.h"
#include "w2w/io/tensor_file.h"

namespace w2w {

struct Image {
  at::Tensor pixels;        ///< u8 [H, W, C], C = 3 (RGB) or 4 (RGB and alpha, not premultiplied)
  Metadata text;            ///< PNG text chunks as UTF-8; of a JPEG the EXIF UserComment as "parameters"
  at::Tensor indices = {};  ///< u8 [H, W] into the palette of a PNG that has one, else undefined
};

/// PNG, JPEG, WebP, BMP by content, TGA by its extension; turned upright as EXIF or XMP says. 16 bits
/// are rounded to 8, grey and palettes become RGB. Error(not_found) without the file, Error(malformed) when
/// it is none of these, damaged, cut short or has more than 180 megapixels.
Image read_image(const std::filesystem::path& path);

/// `pixels` u8 [H, W, 3]. Each text becomes a tEXt chunk, or iTXt when it is not Latin-1. The same input
/// gives the same bytes.
void write_png(const OutputPath& output, const at::Tensor& pixels, const Metadata& text = {});

/// `pixels` u8 [H, W, 3], `quality` 1 to 100; `parameters` becomes the EXIF UserComment unless empty. Left
/// out with a warning when it exceeds the 64 kB of an EXIF block.
void write_jpeg(const OutputPath& output, const at::Tensor& pixels, int quality = 95,
                const std::string& parameters = {});

/// By extension: .png with all of `text`, .jpg or .jpeg with text["parameters"]; Error(usage) for any other.
void write_image(const OutputPath& output, const at::Tensor& pixels, const Metadata& text = {});

}  // namespace w2w
