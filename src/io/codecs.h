#pragma once
// One function per picture format, from the bytes of a whole file; `where` names it in errors.

#include <string>
#include <string_view>

#include "w2w/io/image.h"

namespace w2w {

Image decode_png(std::string_view bytes, const std::string& where);
Image decode_jpeg(std::string_view bytes, const std::string& where);
Image decode_webp(std::string_view bytes, const std::string& where);
Image decode_bmp_or_tga(std::string_view bytes, const std::string& where);

std::string encode_png(const at::Tensor& pixels, const Metadata& text);
std::string encode_jpeg(const at::Tensor& pixels, int quality, const std::string& parameters);

[[noreturn]] void fail_picture(const std::string& where, const std::string& what);

/// u8 [height, width, channels], not initialised; refuses what is empty or too large before anything is
/// allocated.
at::Tensor allocate_pixels(int64_t height, int64_t width, int64_t channels, const std::string& where);

/// u8 [H, W, 3] on the CPU, contiguous; Error(failure) otherwise.
at::Tensor checked_pixels(const at::Tensor& pixels);

}  // namespace w2w
