#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "io/codecs.h"
#include "io/exif.h"

namespace w2w {
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
  image.pixels =
      upright(image.pixels, orientation_of(read_exif(webp_chunk(bytes, "EXIF")), webp_chunk(bytes, "XMP ")));
  return image;
}

}  // namespace w2w
