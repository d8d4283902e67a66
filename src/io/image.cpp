#include "w2w/io/image.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <stb/stb_image.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <cctype>
#include <climits>
#include <cstring>
#include <memory>
#include <new>

#include "io/codecs.h"
#include "io/exif.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"
#include "w2w/io/mapped_file.h"

namespace w2w {
namespace {

constexpr int64_t most_pixels = 180'000'000;

std::string extension(const std::filesystem::path& path) {
  std::string text = path.extension().string();
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return text;
}

}  // namespace

void fail_picture(const std::string& where, const std::string& what) {
  // libjpeg, libpng and stb tell of memory like of damages.
  for (const char* words : {"nsufficient memory", "ut of memory", "outofmem"}) {
    if (what.find(words) != what.npos) throw std::bad_alloc();
  }
  throw Error(ErrorKind::malformed, "not a readable picture (" + where + "): " + what);
}

at::Tensor allocate_pixels(int64_t height, int64_t width, int64_t channels, const std::string& where) {
  if (height <= 0 || width <= 0) fail_picture(where, "it has no pixels");
  if (height > most_pixels / width)
    fail_picture(where, fmt::format("it claims {} x {} pixels, expected at most {} megapixels", width, height,
                                    most_pixels / 1'000'000));
  return at::empty({height, width, channels}, at::kByte);
}

at::Tensor checked_pixels(const at::Tensor& pixels) {
  if (pixels.dim() != 3 || pixels.size(2) != 3 || pixels.scalar_type() != at::kByte || pixels.numel() == 0)
    throw Error(ErrorKind::failure,
                fmt::format("cannot write a picture of {} with {} dimensions, expected u8 [H, W, 3]",
                            c10::toString(pixels.scalar_type()), pixels.dim()));
  return pixels.cpu().contiguous();
}

namespace {

/// The first chunk of this name; empty where there is none.
std::string webp_chunk(std::string_view bytes, const char* name) {
  const WebPData data{reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
  const std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)> file(WebPDemux(&data), &WebPDemuxDelete);
  WebPChunkIterator chunk{};
  if (!file || !WebPDemuxGetChunk(file.get(), name, 1, &chunk)) return {};
  std::string content(reinterpret_cast<const char*>(chunk.chunk.bytes), chunk.chunk.size);
  WebPDemuxReleaseChunkIterator(&chunk);
  return content;
}

}  // namespace

Image decode_webp(std::string_view bytes, const std::string& where) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  WebPBitstreamFeatures features{};
  if (WebPGetFeatures(data, bytes.size(), &features) != VP8_STATUS_OK)
    fail_picture(where, "WebP: damaged header");
  if (features.has_animation) fail_picture(where, "WebP: an animation, expected a still picture");
  const int channels = features.has_alpha ? 4 : 3;
  Image image{allocate_pixels(features.height, features.width, channels, where), {}};
  const auto decode = features.has_alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
  if (!decode(data, bytes.size(), image.pixels.mutable_data_ptr<uint8_t>(), image.pixels.nbytes(),
              features.width * channels))
    fail_picture(where, "WebP: damaged or cut short");
  image.pixels = upright(image.pixels, read_exif(webp_chunk(bytes, "EXIF")), webp_chunk(bytes, "XMP "));
  return image;
}

Image decode_bmp_or_tga(std::string_view bytes, const std::string& where) {
  if (bytes.size() > INT_MAX) fail_picture(where, "it is larger than 2 GB");
  if (uint32_t size = 0; bytes.starts_with("BM") && bytes.size() >= 6) {
    std::memcpy(&size, bytes.data() + 2, sizeof(size));  // stb would fill what is missing with black
    if (size > bytes.size())
      fail_picture(where, fmt::format("BMP: expected {} bytes, found {}", size, bytes.size()));
  }
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

Image read_image(const std::filesystem::path& path) {
  const auto file = MappedFile::open_or_read(path);
  const std::string_view bytes = file->bytes();
  const std::string where = path.string();
  if (bytes.starts_with("\x89PNG")) return decode_png(bytes, where);
  if (bytes.starts_with("\xff\xd8\xff")) return decode_jpeg(bytes, where);
  if (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP")) return decode_webp(bytes, where);
  if (bytes.starts_with("BM") || extension(path) == ".tga") return decode_bmp_or_tga(bytes, where);
  fail_picture(where, "expected PNG, JPEG, WebP, BMP or TGA");
}

void write_png(const OutputPath& output, const at::Tensor& pixels, const Metadata& text) {
  write_file(output, encode_png(checked_pixels(pixels), text));
}

void write_jpeg(const OutputPath& output, const at::Tensor& pixels, int quality,
                const std::string& parameters) {
  write_file(output, encode_jpeg(checked_pixels(pixels), quality, parameters));
}

void write_image(const OutputPath& output, const at::Tensor& pixels, const Metadata& text) {
  const std::string kind = extension(output.path);
  if (kind == ".png") return write_png(output, pixels, text);
  constexpr int quality = 95;
  const auto parameters = text.find("parameters");
  if (kind == ".jpg" || kind == ".jpeg")
    return write_jpeg(output, pixels, quality, parameters == text.end() ? "" : parameters->second);
  throw Error(ErrorKind::usage, "no picture format for '" + kind + "' (" + output.path.string() + ")",
              suggest(kind, {".png", ".jpg", ".jpeg"}));
}

}  // namespace w2w
