// HEIC and AVIF: pictures within HEIF, compressed as frames of videos are.

#include <libheif/heif.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <new>

#include "io/codecs.h"

namespace w2w {
namespace {

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

void check(const heif_error& error, const std::string& where) {
  if (error.code == heif_error_Ok) return;
  if (error.code == heif_error_Memory_allocation_error &&
      error.subcode != heif_suberror_Security_limit_exceeded)
    throw std::bad_alloc();
  fail_picture(where, fmt::format("HEIF: {}", error.message));
}

Owned<heif_image_handle> primary_picture(heif_context* file, const std::string& where) {
  heif_image_handle* handle = nullptr;
  check(heif_context_get_primary_image_handle(file, &handle), where);
  return {handle, [](heif_image_handle* self) { heif_image_handle_release(self); }};
}

Owned<heif_image> decoded(heif_image_handle* handle, heif_chroma chroma, const std::string& where) {
  const Owned<heif_decoding_options> options(heif_decoding_options_alloc(), &heif_decoding_options_free);
  options->strict_decoding = 1;
  heif_image* image = nullptr;
  check(heif_decode_image(handle, &image, heif_colorspace_RGB, chroma, options.get()), where);
  return {image, [](heif_image* self) { heif_image_release(self); }};
}

/// Samples of 2 bytes, of which `bits` count, rounded to 8.
at::Tensor rounded(const at::Tensor& bytes, int bits) {
  const int full = (1 << bits) - 1;
  const auto samples = bytes.view(at::kShort).to(at::kInt).bitwise_and(0xFFFF);
  return samples.mul(255).add(full / 2).div(full, "floor").clamp_max(255).to(at::kByte);
}

}  // namespace

Image decode_heif(std::string_view bytes, const std::string& where) {
  const Owned<heif_context> file(heif_context_alloc(), &heif_context_free);
  heif_context_set_maximum_image_size_limit(file.get(), static_cast<int>(std::sqrt(most_pixels)));
  check(heif_context_read_from_memory_without_copy(file.get(), bytes.data(), bytes.size(), nullptr), where);
  const auto handle = primary_picture(file.get(), where);
  const int64_t height = heif_image_handle_get_height(handle.get()),
                width = heif_image_handle_get_width(handle.get());
  check_size(height, width, where);
  const bool alpha = heif_image_handle_has_alpha_channel(handle.get()) != 0;
  const bool deep = heif_image_handle_get_luma_bits_per_pixel(handle.get()) > 8;
  const auto chroma = deep ? alpha ? heif_chroma_interleaved_RRGGBBAA_LE : heif_chroma_interleaved_RRGGBB_LE
                      : alpha ? heif_chroma_interleaved_RGBA
                              : heif_chroma_interleaved_RGB;
  // libheif turns and mirrors as the file says; what EXIF says of it besides does not count.
  const auto image = decoded(handle.get(), chroma, where);
  if (heif_image_get_height(image.get(), heif_channel_interleaved) != height ||
      heif_image_get_width(image.get(), heif_channel_interleaved) != width)
    fail_picture(where, "HEIF: the picture's size differs from its header");
  int stride = 0;
  const uint8_t* samples = heif_image_get_plane_readonly(image.get(), heif_channel_interleaved, &stride);
  if (!samples) fail_picture(where, "HEIF: it has no pixels");
  const int64_t channels = alpha ? 4 : 3, row = channels * width * (deep ? 2 : 1);
  at::Tensor pixels = at::from_blob(const_cast<uint8_t*>(samples), {height, row}, {stride, 1}, at::kByte)
                          .clone(at::MemoryFormat::Contiguous);
  if (deep)
    pixels = rounded(pixels, heif_image_get_bits_per_pixel_range(image.get(), heif_channel_interleaved));
  pixels = pixels.view({height, width, channels});
  const bool premultiplied = alpha && heif_image_handle_is_premultiplied_alpha(handle.get()) != 0;
  return {premultiplied ? unpremultiplied(pixels) : pixels, {}};
}

}  // namespace w2w
