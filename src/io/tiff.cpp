#include <tiffio.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

#include "io/codecs.h"
#include "io/exif.h"

namespace w2w {
namespace {

/// A TIFF in memory, with what libtiff says of it.
class Tiff {
 public:
  explicit Tiff(std::string_view bytes) : bytes_(bytes) {
    const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                   &TIFFOpenOptionsFree);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), 4 * most_pixels);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), &Tiff::on_error, this);
    TIFFOpenOptionsSetWarningHandlerExtR(
        options.get(), [](TIFF*, void*, const char*, const char*, va_list) { return 1; }, nullptr);
    file_ = TIFFClientOpenExt(
        "TIFF", "r", this, &Tiff::read, &Tiff::write, &Tiff::seek, [](thandle_t) { return 0; }, &Tiff::size,
        &Tiff::map, [](thandle_t, void*, toff_t) {}, options.get());
  }
  ~Tiff() {
    if (file_) TIFFClose(file_);
  }
  Tiff(const Tiff&) = delete;
  Tiff& operator=(const Tiff&) = delete;

  TIFF* get() const { return file_; }
  const std::string& error() const { return error_; }

  template <typename Number>
  Number field(uint32_t tag) const {
    Number value = 0;
    TIFFGetFieldDefaulted(file_, tag, &value);
    return value;
  }

 private:
  static Tiff& self(thandle_t handle) { return *static_cast<Tiff*>(handle); }

  static int on_error(TIFF*, void* handle, const char*, const char* format, va_list arguments) {
    char text[300];
    std::vsnprintf(text, sizeof(text), format, arguments);
    if (self(handle).error_.empty()) self(handle).error_ = text;  // the first is the cause
    return 1;
  }
  static tmsize_t read(thandle_t handle, void* out, tmsize_t count) {
    const auto rest = self(handle).bytes_.substr(std::min(self(handle).at_, self(handle).bytes_.size()));
    const auto found = std::min(static_cast<size_t>(std::max<tmsize_t>(count, 0)), rest.size());
    std::memcpy(out, rest.data(), found);
    self(handle).at_ += found;
    return static_cast<tmsize_t>(found);
  }
  static tmsize_t write(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t seek(thandle_t handle, toff_t offset, int from) {
    auto& at = self(handle).at_;
    at = offset + (from == SEEK_CUR ? at : from == SEEK_END ? self(handle).bytes_.size() : 0);
    return at;
  }
  static toff_t size(thandle_t handle) { return self(handle).bytes_.size(); }
  static int map(thandle_t handle, void** base, toff_t* size) {
    *base = const_cast<char*>(self(handle).bytes_.data());
    *size = self(handle).bytes_.size();
    return 1;
  }

  std::string_view bytes_;
  size_t at_ = 0;
  std::string error_;
  TIFF* file_ = nullptr;
};

enum class Alpha { none, straight, premultiplied };

/// What the samples beside the colours are, told as Pillow tells it. libtiff multiplies colours by straight
/// alpha, so it is made to think that this has been done.
Alpha take_alpha(const Tiff& file) {
  uint16_t count = 0;
  const uint16_t* kinds = nullptr;
  TIFFGetFieldDefaulted(file.get(), TIFFTAG_EXTRASAMPLES, &count, &kinds);
  const bool untold = count == 0 && file.field<uint16_t>(TIFFTAG_PHOTOMETRIC) == PHOTOMETRIC_RGB &&
                      file.field<uint16_t>(TIFFTAG_SAMPLESPERPIXEL) == 4;
  if (count > 0 && kinds[0] == EXTRASAMPLE_ASSOCALPHA) return Alpha::premultiplied;
  if (!untold && (count == 0 || kinds[0] != EXTRASAMPLE_UNASSALPHA)) return Alpha::none;
  const uint16_t premultiplied = EXTRASAMPLE_ASSOCALPHA;
  TIFFSetField(file.get(), TIFFTAG_EXTRASAMPLES, 1, &premultiplied);
  return Alpha::straight;
}

/// u8 [H, W, 4] as it lies in the file: grey, palettes, inks and 16 bits as 8-bit RGBA.
at::Tensor read_pixels(const Tiff& file, const std::string& where) {
  const auto width = file.field<uint32_t>(TIFFTAG_IMAGEWIDTH),
             height = file.field<uint32_t>(TIFFTAG_IMAGELENGTH);
  at::Tensor pixels = allocate_pixels(height, width, 4, where).zero_();
  TIFFRGBAImage image;
  char problem[1024] = "";
  if (!TIFFRGBAImageOK(file.get(), problem) || !TIFFRGBAImageBegin(&image, file.get(), 1, problem))
    fail_picture(where, fmt::format("TIFF: {}", *problem ? problem : file.error()));
  image.orientation = image.req_orientation = ORIENTATION_TOPLEFT;  // it is turned afterwards
  const bool whole = TIFFRGBAImageGet(&image, reinterpret_cast<uint32_t*>(pixels.mutable_data_ptr<uint8_t>()),
                                      width, height) &&
                     file.error().empty();
  TIFFRGBAImageEnd(&image);
  if (!whole) fail_picture(where, fmt::format("TIFF: {}", file.error().empty() ? "damaged" : file.error()));
  return pixels;
}

/// Raw photographs of most cameras are TIFF whose first picture is a small preview.
bool is_raw_photograph(const Tiff& file, std::string_view bytes) {
  const uint8_t* version = nullptr;
  return bytes.substr(8).starts_with("CR") || TIFFGetField(file.get(), TIFFTAG_DNGVERSION, &version) == 1 ||
         (file.field<uint32_t>(TIFFTAG_SUBFILETYPE) & FILETYPE_REDUCEDIMAGE) != 0;
}

}  // namespace

Image decode_tiff(std::string_view bytes, const std::string& where) {
  const Tiff file(bytes);
  if (!file.get()) fail_picture(where, "TIFF: " + file.error());
  if (is_raw_photograph(file, bytes))
    fail_picture(where, fmt::format("expected {}, found a raw camera file: convert it to one of these first",
                                    picture_formats));
  const Alpha alpha = take_alpha(file);
  Image image{read_pixels(file, where), {}};
  if (alpha == Alpha::none) image.pixels = image.pixels.narrow(2, 0, 3).contiguous();
  if (alpha == Alpha::premultiplied) image.pixels = unpremultiplied(image.pixels);
  const int orientation = std::clamp<int>(file.field<uint16_t>(TIFFTAG_ORIENTATION), 1, 8);
  const bool has_indices = file.field<uint16_t>(TIFFTAG_PHOTOMETRIC) == PHOTOMETRIC_PALETTE &&
                           file.field<uint16_t>(TIFFTAG_BITSPERSAMPLE) == 8;
  if (has_indices && TIFFSetField(file.get(), TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK) == 1)
    image.indices = upright(read_pixels(file, where), orientation).select(2, 0).contiguous();
  image.pixels = upright(image.pixels, orientation);
  return image;
}

}  // namespace w2w
