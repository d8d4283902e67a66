// jpeglib.h needs size_t and FILE declared before it.
#include <cstddef>
#include <cstdio>

#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <csetjmp>
#include <cstdlib>
#include <string>
#include <utility>

#include "io/codecs.h"
#include "io/exif.h"
#include "w2w/base/error.h"
#include "w2w/base/run.h"

namespace w2w {
namespace {

constexpr std::string_view xmp_signature("http://ns.adobe.com/xap/1.0/\0", 29);

/// libjpeg leaves its functions by longjmp to guard(), which nothing with a destructor may lie between.
struct Failure {
  jpeg_error_mgr manager;  // first: libjpeg knows this struct by its address
  jmp_buf escape;
  char message[JMSG_LENGTH_MAX];

  Failure() {
    jpeg_std_error(&manager);
    manager.error_exit = [](j_common_ptr codec) {
      auto* self = reinterpret_cast<Failure*>(codec->err);
      self->manager.format_message(codec, self->message);
      longjmp(self->escape, 1);
    };
    // libjpeg fills what is missing with grey; everything else it warns of, it repairs.
    manager.emit_message = [](j_common_ptr codec, int level) {
      const int code = codec->err->msg_code;
      if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)) codec->err->error_exit(codec);
    };
    manager.output_message = [](j_common_ptr) {};
  }

  template <typename Job>
  bool guard(void (*step)(Job&), Job& job) {
    if (setjmp(escape) != 0) return false;
    step(job);
    return true;
  }
};

/// A scan of some hundred bytes makes libjpeg go over all pixels once more; cameras and programs write about
/// 10.
void refuse_many_scans(j_common_ptr common) {
  const auto* codec = reinterpret_cast<j_decompress_ptr>(common);
  const int64_t pixels = int64_t{codec->image_width} * codec->image_height;
  const int64_t most = std::clamp<int64_t>(4'000'000'000 / std::max<int64_t>(pixels, 1), 20, 500);
  if (codec->input_scan_number <= most) return;
  auto* failure = reinterpret_cast<Failure*>(codec->err);
  std::snprintf(failure->message, sizeof(failure->message), "more than %d scans of %u x %u pixels",
                static_cast<int>(most), codec->image_width, codec->image_height);
  longjmp(failure->escape, 1);
}

struct Decoder {
  Failure failure;
  jpeg_decompress_struct codec{};
  jpeg_progress_mgr progress{};
  std::string_view bytes;
  uint8_t* pixels = nullptr;

  explicit Decoder(std::string_view file) : bytes(file) {
    codec.err = &failure.manager;
    progress.progress_monitor = refuse_many_scans;
  }
  ~Decoder() { jpeg_destroy_decompress(&codec); }
};

void read_header(Decoder& job) {
  jpeg_create_decompress(&job.codec);
  job.codec.progress = &job.progress;
  jpeg_save_markers(&job.codec, JPEG_APP0 + 1, 0xFFFF);
  jpeg_mem_src(&job.codec, reinterpret_cast<const unsigned char*>(job.bytes.data()), job.bytes.size());
  jpeg_read_header(&job.codec, TRUE);
  const bool four_inks = job.codec.jpeg_color_space == JCS_CMYK || job.codec.jpeg_color_space == JCS_YCCK;
  job.codec.out_color_space = four_inks ? JCS_CMYK : JCS_RGB;
}

void read_pixels(Decoder& job) {
  jpeg_start_decompress(&job.codec);
  const size_t row_size =
      static_cast<size_t>(job.codec.output_width) * static_cast<size_t>(job.codec.output_components);
  while (job.codec.output_scanline < job.codec.output_height) {
    JSAMPROW row = job.pixels + job.codec.output_scanline * row_size;
    jpeg_read_scanlines(&job.codec, &row, 1);
  }
  jpeg_finish_decompress(&job.codec);
}

/// How many times smaller each side may be decoded: so that the smaller one keeps twice what is wanted, which
/// Pillow's thumbnail leaves for its antialiased resize, too (reducing_gap). Pictures of usual sizes are
/// decoded as they are, as everybody decodes them.
unsigned reduction(int64_t height, int64_t width, int64_t wanted_side) {
  constexpr int64_t usual_pixels = 24'000'000;
  if (height * width <= usual_pixels) return 1;
  for (const unsigned factor : {8U, 4U, 2U}) {
    if (std::min(height, width) / factor >= 2 * wanted_side) return factor;
  }
  return 1;
}

/// Inks to light. Files hold inks inverted, as Adobe began it; those without Adobe's marker do so too.
at::Tensor rgb_of_cmyk(const at::Tensor& inverted_inks) {
  const at::Tensor light = inverted_inks.to(at::kInt);
  const at::Tensor product = light.slice(2, 0, 3).mul(light.slice(2, 3, 4));
  return product.add(127).div(255, "floor").to(at::kByte).contiguous();
}

/// What follows `signature` in the first APP1 marker that begins with it.
std::string marker_content(const jpeg_decompress_struct& codec, std::string_view signature) {
  for (auto* marker = codec.marker_list; marker; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.starts_with(signature)) return std::string(data.substr(signature.size()));
  }
  return {};
}

struct Encoder {
  Failure failure;
  jpeg_compress_struct codec{};
  const at::Tensor& pixels;
  int quality;
  std::string exif;
  unsigned char* out = nullptr;
  unsigned long size = 0;

  Encoder(const at::Tensor& picture, int quality_1_to_100, std::string app1)
      : pixels(picture), quality(quality_1_to_100), exif(std::move(app1)) {
    codec.err = &failure.manager;
  }
  ~Encoder() {
    jpeg_destroy_compress(&codec);
    std::free(out);
  }
};

void encode(Encoder& job) {
  jpeg_create_compress(&job.codec);
  jpeg_mem_dest(&job.codec, &job.out, &job.size);
  job.codec.image_height = static_cast<JDIMENSION>(job.pixels.size(0));
  job.codec.image_width = static_cast<JDIMENSION>(job.pixels.size(1));
  job.codec.input_components = 3;
  job.codec.in_color_space = JCS_RGB;
  jpeg_set_defaults(&job.codec);
  jpeg_set_quality(&job.codec, job.quality, TRUE);
  jpeg_start_compress(&job.codec, TRUE);
  if (!job.exif.empty())
    jpeg_write_marker(&job.codec, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(job.exif.data()),
                      static_cast<unsigned>(job.exif.size()));
  const uint8_t* first = job.pixels.const_data_ptr<uint8_t>();
  while (job.codec.next_scanline < job.codec.image_height) {
    auto* row = const_cast<uint8_t*>(first + job.codec.next_scanline * job.pixels.stride(0));
    jpeg_write_scanlines(&job.codec, &row, 1);
  }
  jpeg_finish_compress(&job.codec);
}

}  // namespace

Image decode_jpeg(std::string_view bytes, const std::string& where, std::optional<int64_t> wanted_side) {
  Decoder job(bytes);
  const auto run = [&](void (*step)(Decoder&)) {
    if (!job.failure.guard(step, job)) fail_picture(where, std::string("JPEG: ") + job.failure.message);
  };
  run(read_header);
  const Exif exif = read_exif(marker_content(job.codec, exif_signature));  // finishing frees the markers
  const int orientation = orientation_of(exif, marker_content(job.codec, xmp_signature));
  const bool inks = job.codec.out_color_space == JCS_CMYK;
  int64_t height = job.codec.image_height, width = job.codec.image_width;
  check_size(height, width, where);
  job.codec.scale_denom = wanted_side ? reduction(height, width, *wanted_side) : 1;
  run([](Decoder& self) { jpeg_calc_output_dimensions(&self.codec); });
  at::Tensor pixels = allocate_pixels(job.codec.output_height, job.codec.output_width, inks ? 4 : 3, where);
  job.pixels = pixels.mutable_data_ptr<uint8_t>();
  run(read_pixels);
  if (inks) pixels = rgb_of_cmyk(pixels);
  Image image{upright(pixels, orientation), {}};
  if (orientation >= 5) std::swap(height, width);
  if (job.codec.scale_denom > 1) image.full_size = {height, width};
  if (!exif.comment.empty()) image.text["parameters"] = exif.comment;
  return image;
}

std::string encode_jpeg(const at::Tensor& pixels, int quality, const std::string& parameters,
                        const Run& run) {
  constexpr size_t longest_marker = 65533;
  std::string exif;
  if (!parameters.empty()) exif = std::string(exif_signature) + write_exif(parameters);
  if (exif.size() > longest_marker) {
    run.warn("the parameters are too long for a JPEG's EXIF block and are left out; PNG has no such limit");
    exif.clear();
  }
  Encoder job(pixels, quality, std::move(exif));
  if (!job.failure.guard(encode, job))
    throw Error(ErrorKind::failure, std::string("cannot encode a JPEG: ") + job.failure.message);
  return {reinterpret_cast<const char*>(job.out), job.size};
}

}  // namespace w2w
