#pragma once
// One function per picture format, from the bytes of a whole file; `where` names it in errors.

#include <string>
#include <string_view>

#include "w2w/io/image.h"

namespace w2w {

Image decode_png(std::string_view bytes, const std::string& where);
/// `wanted_side` as of read_image.
Image decode_jpeg(std::string_view bytes, const std::string& where, std::optional<int64_t> wanted_side);
Image decode_webp(std::string_view bytes, const std::string& where);
Image decode_gif(std::string_view bytes, const std::string& where);
Image decode_tiff(std::string_view bytes, const std::string& where);
Image decode_heif(std::string_view bytes, const std::string& where);  ///< HEIC and AVIF
Image decode_bmp_or_tga(std::string_view bytes, const std::string& where);

std::string encode_png(const at::Tensor& pixels, const Metadata& text);
std::string encode_jpeg(const at::Tensor& pixels, int quality, const std::string& parameters, const Run& run);

[[noreturn]] void fail_picture(const std::string& where, const std::string& what);

/// What files claim is refused before anything of that size is allocated: 2^28 pixels are 16384 x 16384, a GB
/// with alpha. The largest sensors of phones have 200 megapixels.
inline constexpr int64_t most_pixels = int64_t{1} << 28;
void check_size(int64_t height, int64_t width, const std::string& where);

/// u8 [height, width, channels], not initialised, of a size that check_size accepts.
at::Tensor allocate_pixels(int64_t height, int64_t width, int64_t channels, const std::string& where);

/// u8 [H, W, 4] whose colours were multiplied by their alpha, as Pillow divides them again.
at::Tensor unpremultiplied(const at::Tensor& pixels);

/// u8 [H, W, 3] on the CPU, contiguous; Error(failure) otherwise.
at::Tensor checked_pixels(const at::Tensor& pixels);

}  // namespace w2w
