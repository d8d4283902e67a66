#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <memory>
#include <vector>

#include "io/codecs.h"
#include "io/exif.h"
#include "io/text_encoding.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

/// libpng leaves its functions by longjmp to guard(), which nothing with a destructor may lie between.
class Png {
 public:
  enum class Mode { read, write };

  explicit Png(Mode mode) : mode_(mode) {
    const auto create = mode == Mode::read ? png_create_read_struct : png_create_write_struct;
    png_ = create(PNG_LIBPNG_VER_STRING, this, &Png::on_error, &Png::on_warning);
    info_ = png_ ? png_create_info_struct(png_) : nullptr;
    if (!info_) throw std::bad_alloc();
  }
  ~Png() {
    if (mode_ == Mode::read)
      png_destroy_read_struct(&png_, &info_, nullptr);
    else
      png_destroy_write_struct(&png_, &info_);
  }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;

  /// False when `step(context)` failed; error() says why.
  bool guard(void (*step)(Png&, void*), void* context = nullptr) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    step(*this, context);
    return true;
  }

  png_structp get() const { return png_; }
  png_infop info() const { return info_; }
  const char* error() const { return error_; }

 private:
  static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<Png*>(png_get_error_ptr(png));
    std::strncpy(self->error_, message, sizeof(self->error_) - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}

  Mode mode_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  char error_[200] = {};
};

void read_bytes(png_structp png, png_bytep out, size_t size) {
  auto* rest = static_cast<std::string_view*>(png_get_io_ptr(png));
  if (size > rest->size()) png_error(png, "the file is cut short");
  std::memcpy(out, rest->data(), size);
  rest->remove_prefix(size);
}

bool has_palette(const Png& png) {
  return png_get_color_type(png.get(), png.info()) == PNG_COLOR_TYPE_PALETTE;
}

/// Whatever the file has, rows come as 8-bit RGB or RGBA, or as one palette index a byte.
void set_transforms(Png& png, void*) {
  if (has_palette(png)) {
    png_set_packing(png.get());
  } else {
    png_set_expand(png.get());
    png_set_scale_16(png.get());
    png_set_gray_to_rgb(png.get());
  }
  png_set_interlace_handling(png.get());
  png_read_update_info(png.get(), png.info());
}

Metadata texts(const Png& png) {
  Metadata result;
  png_textp entries = nullptr;
  const int count = png_get_text(png.get(), png.info(), &entries, nullptr);
  for (int i = 0; i < count; ++i) {
    const png_text& entry = entries[i];
    const bool international = entry.compression >= PNG_ITXT_COMPRESSION_NONE;
    const std::string_view text(entry.text, international ? entry.itxt_length : entry.text_length);
    result.emplace(latin1_to_utf8(entry.key), international ? std::string(text) : latin1_to_utf8(text));
  }
  return result;
}

/// RGB or RGBA of u8 [H, W, 1]; an index beyond the palette is black, as libpng has it.
at::Tensor palette_colours(const Png& png, const at::Tensor& indices, int64_t channels,
                           const std::string& where) {
  png_colorp colours = nullptr;
  png_bytep alphas = nullptr;
  int count = 0, alpha_count = 0;
  png_get_PLTE(png.get(), png.info(), &colours, &count);
  png_get_tRNS(png.get(), png.info(), &alphas, &alpha_count, nullptr);
  std::array<std::array<uint8_t, 4>, 256> table{};
  for (size_t i = 0; i < table.size(); ++i) {
    if (static_cast<int>(i) < count) table[i] = {colours[i].red, colours[i].green, colours[i].blue};
    table[i][3] = static_cast<int>(i) < alpha_count ? alphas[i] : 255;
  }
  auto pixels = allocate_pixels(indices.size(0), indices.size(1), channels, where);
  const auto* index = indices.const_data_ptr<uint8_t>();
  auto* out = pixels.mutable_data_ptr<uint8_t>();
  for (int64_t i = 0; i < indices.numel(); ++i, out += channels)
    std::memcpy(out, table[index[i]].data(), static_cast<size_t>(channels));
  return pixels;
}

std::string_view exif_chunk(const Png& png) {
  png_bytep bytes = nullptr;
  png_uint_32 size = 0;
  if (!png_get_eXIf_1(png.get(), png.info(), &size, &bytes)) return {};
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

Image decode_png(std::string_view bytes, const std::string& where) {
  Png png(Png::Mode::read);
  const auto run = [&](void (*step)(Png&, void*), void* context = nullptr) {
    if (!png.guard(step, context)) fail_picture(where, std::string("PNG: ") + png.error());
  };
  png_set_read_fn(png.get(), &bytes, read_bytes);
  run([](Png& self, void*) { png_read_info(self.get(), self.info()); });
  const auto width = png_get_image_width(png.get(), png.info()),
             height = png_get_image_height(png.get(), png.info());
  const bool alpha = (png_get_color_type(png.get(), png.info()) & PNG_COLOR_MASK_ALPHA) != 0 ||
                     png_get_valid(png.get(), png.info(), PNG_INFO_tRNS) != 0;
  const bool palette = has_palette(png);
  const int64_t channels = alpha ? 4 : 3, samples = palette ? 1 : channels;
  Image image{allocate_pixels(height, width, samples, where), {}};
  run(set_transforms);
  const size_t row_size = png_get_rowbytes(png.get(), png.info());
  if (row_size != static_cast<size_t>(width) * static_cast<size_t>(samples))
    fail_picture(where, "PNG: unexpected layout");
  std::vector<png_bytep> rows(height);
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = image.pixels.mutable_data_ptr<uint8_t>() + y * row_size;
  run([](Png& self, void* pointers) { png_read_image(self.get(), static_cast<png_bytepp>(pointers)); },
      rows.data());
  run([](Png& self, void*) { png_read_end(self.get(), self.info()); });
  if (palette) {
    image.indices = image.pixels;
    image.pixels = palette_colours(png, image.indices, channels, where);
  }
  image.text = texts(png);
  const auto xmp = image.text.find("XML:com.adobe.xmp");
  const std::string_view packet = xmp == image.text.end() ? std::string_view() : xmp->second;
  const int orientation = orientation_of(read_exif(exif_chunk(png)), packet);
  image.pixels = upright(image.pixels, orientation);
  if (palette) image.indices = upright(image.indices, orientation).squeeze(2);
  return image;
}

std::string encode_png(const at::Tensor& pixels, const Metadata& text) {
  Png png(Png::Mode::write);
  std::string out;
  const auto append = [](png_structp self, png_bytep data, size_t size) {
    static_cast<std::string*>(png_get_io_ptr(self))->append(reinterpret_cast<const char*>(data), size);
  };
  png_set_write_fn(png.get(), &out, append, [](png_structp) {});

  Metadata encoded;  // in the bytes of its chunk
  std::vector<png_text> chunks;
  for (const auto& [key, value] : text) {
    const auto latin1 = utf8_to_latin1(value);
    std::string& content = encoded[key] = latin1.value_or(valid_utf8(value));
    png_text chunk{};
    chunk.compression = latin1 ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    chunk.key = const_cast<char*>(key.c_str());
    chunk.text = content.data();
    chunks.push_back(chunk);
  }
  std::vector<png_bytep> rows;
  for (int64_t y = 0; y < pixels.size(0); ++y)
    rows.push_back(const_cast<uint8_t*>(pixels.const_data_ptr<uint8_t>()) + y * pixels.stride(0));
  struct Job {
    uint32_t width, height;
    std::vector<png_text>& chunks;
    std::vector<png_bytep>& rows;
  } job{static_cast<uint32_t>(pixels.size(1)), static_cast<uint32_t>(pixels.size(0)), chunks, rows};
  const auto write = [](Png& self, void* context) {
    const Job& task = *static_cast<Job*>(context);
    png_set_IHDR(self.get(), self.info(), task.width, task.height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_text(self.get(), self.info(), task.chunks.data(), static_cast<int>(task.chunks.size()));
    png_write_info(self.get(), self.info());
    png_write_image(self.get(), task.rows.data());
    png_write_end(self.get(), nullptr);
  };
  if (!png.guard(write, &job))
    throw Error(ErrorKind::failure, std::string("cannot encode a PNG: ") + png.error());
  return out;
}

}  // namespace w2w
