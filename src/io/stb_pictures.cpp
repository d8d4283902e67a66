// The formats that stb decodes: GIF, BMP and TGA.

#include <stb/stb_image.h>

#include <fmt/format.h>

#include <climits>
#include <cstring>
#include <memory>

#include "io/codecs.h"

namespace w2w {
namespace {

Image decode_by_stb(std::string_view bytes, const std::string& where) {
  if (bytes.size() > INT_MAX) fail_picture(where, "it is larger than 2 GB");
  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  const int length = static_cast<int>(bytes.size());
  int width = 0, height = 0, components = 0;
  if (!stbi_info_from_memory(data, length, &width, &height, &components))
    fail_picture(where, stbi_failure_reason());
  const int channels = components == 2 || components == 4 ? 4 : 3;
  Image image{allocate_pixels(height, width, channels, where), {}};
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> pixels(
      stbi_load_from_memory(data, length, &width, &height, &components, channels), stbi_image_free);
  if (!pixels) fail_picture(where, stbi_failure_reason());
  std::memcpy(image.pixels.mutable_data_ptr<uint8_t>(), pixels.get(), image.pixels.nbytes());
  return image;
}

/// Whether a GIF's first frame is all there, which stb does not ask: a header of 13 bytes, a table of
/// colours, then blocks, each a byte that tells its kind, its own header, and pieces of up to 255 bytes, each
/// after its length, until one of none.
class GifBlocks {
 public:
  explicit GifBlocks(std::string_view bytes) : rest_(bytes) {}

  bool has_whole_frame() {
    skip_header(13, 10);
    while (!rest_.empty()) {
      const char kind = rest_.front();
      constexpr char extension = '\x21', frame = '\x2c';
      if (kind == extension) {
        skip(2);
      } else if (kind == frame) {
        skip_header(10, 9);
        skip(1);  // the least size of a code
      } else {
        return false;  // its end, without a frame, or damaged
      }
      if (!skip_pieces()) return false;
      if (kind == frame) return true;
    }
    return false;
  }

 private:
  void skip(size_t count) { rest_.remove_prefix(std::min(count, rest_.size())); }

  /// A header whose byte `flags` tells the size of the table of colours that follows.
  void skip_header(size_t size, size_t flags) {
    const auto bits = flags < rest_.size() ? static_cast<unsigned char>(rest_[flags]) : 0U;
    skip(size + (bits & 0x80 ? size_t{6} << (bits & 7) : 0));
  }

  bool skip_pieces() {
    while (!rest_.empty()) {
      const size_t length = static_cast<unsigned char>(rest_.front());
      if (length + 1 > rest_.size()) return false;
      skip(length + 1);
      if (length == 0) return true;
    }
    return false;
  }

  std::string_view rest_;
};

}  // namespace

Image decode_gif(std::string_view bytes, const std::string& where) {
  if (!GifBlocks(bytes).has_whole_frame()) fail_picture(where, "GIF: damaged or cut short");
  Image image = decode_by_stb(bytes, where);
  const bool opaque = image.pixels.select(2, 3).min().item<uint8_t>() == 255;
  if (opaque) image.pixels = image.pixels.narrow(2, 0, 3).contiguous();
  return image;
}

Image decode_bmp_or_tga(std::string_view bytes, const std::string& where) {
  if (uint32_t size = 0; bytes.starts_with("BM") && bytes.size() >= 6) {
    std::memcpy(&size, bytes.data() + 2, sizeof(size));  // stb would fill what is missing with black
    if (size > bytes.size())
      fail_picture(where, fmt::format("BMP: expected {} bytes, found {}", size, bytes.size()));
  }
  return decode_by_stb(bytes, where);
}

}  // namespace w2w
