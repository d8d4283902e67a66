#include "w2w/io/image.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <new>

#include "io/codecs.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"
#include "w2w/io/mapped_file.h"

namespace w2w {
namespace {

std::string extension(const std::filesystem::path& path) {
  std::string text = path.extension().string();
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return text;
}

bool is_jpeg(std::string_view head) { return head.starts_with("\xff\xd8\xff"); }

/// The brand of an ISO media file: "heic", "avif", "mp42"; empty for other files.
std::string_view brand(std::string_view head) {
  return head.size() >= 12 && head.substr(4, 4) == "ftyp" ? head.substr(8, 4) : std::string_view();
}

bool is_heif(std::string_view head) {
  constexpr std::array<std::string_view, 11> brands = {"heic", "heix", "heim", "heis", "hevc", "hevx",
                                                       "mif1", "mif2", "msf1", "avif", "avis"};
  return std::find(brands.begin(), brands.end(), brand(head)) != brands.end();
}

bool is_tiff(std::string_view head) {
  using namespace std::string_view_literals;
  return head.starts_with("II*\0"sv) || head.starts_with("MM\0*"sv) || head.starts_with("II+\0"sv) ||
         head.starts_with("MM\0+"sv);
}

using Decode = Image (*)(std::string_view bytes, const std::string& where);

/// By a file's first bytes; null for JPEG, whose decoder wants more, and for what is none.
Decode decoder(std::string_view head) {
  if (head.starts_with("\x89PNG")) return decode_png;
  if (head.starts_with("RIFF") && head.substr(0, 12).ends_with("WEBP")) return decode_webp;
  if (head.starts_with("GIF87a") || head.starts_with("GIF89a")) return decode_gif;
  if (is_tiff(head)) return decode_tiff;
  if (is_heif(head)) return decode_heif;
  if (head.starts_with("BM")) return decode_bmp_or_tga;
  return nullptr;
}

/// What lies among pictures without being one of ours.
std::string kind_of_other(std::string_view bytes) {
  struct Other {
    std::string_view begin, name;
  };
  constexpr std::array<Other, 10> others = {
      {{"%PDF", "a PDF"},
       {"8BPS", "a Photoshop document"},
       {"\xff\x0a", "JPEG XL"},
       {{"\0\0\0\x0cJXL ", 8}, "JPEG XL"},
       {{"\0\0\0\x0cjP  ", 8}, "JPEG 2000"},
       {"<svg", "SVG"},
       {"<?xml", "XML, such as SVG"},
       {"<!DOCTYPE", "a web page"},
       {"<html", "a web page"},
       {"version https://git-lfs", "a pointer that git lfs pull replaces"}}};
  if (bytes.empty()) return "an empty file";
  if (!brand(bytes).empty()) return fmt::format("a video or an unknown format ({})", brand(bytes));
  for (const auto& other : others) {
    if (bytes.starts_with(other.begin)) return std::string(other.name);
  }
  return "something else";
}

}  // namespace

void fail_picture(const std::string& where, const std::string& what) {
  // libjpeg, libpng and stb tell of memory like of damages.
  for (const char* words : {"nsufficient memory", "ut of memory", "outofmem"}) {
    if (what.find(words) != what.npos) throw std::bad_alloc();
  }
  throw Error(ErrorKind::malformed, "not a readable picture (" + where + "): " + what);
}

void check_size(int64_t height, int64_t width, const std::string& where) {
  if (height <= 0 || width <= 0) fail_picture(where, "it has no pixels");
  if (height > most_pixels / width)
    fail_picture(where, fmt::format("its header says {} x {} pixels, expected at most {} megapixels", width,
                                    height, most_pixels / 1'000'000));
}

at::Tensor allocate_pixels(int64_t height, int64_t width, int64_t channels, const std::string& where) {
  check_size(height, width, where);
  return at::empty({height, width, channels}, at::kByte);
}

at::Tensor unpremultiplied(const at::Tensor& pixels) {
  const auto alpha = pixels.narrow(2, 3, 1);
  const auto whole = pixels.narrow(2, 0, 3).to(at::kInt).mul_(alpha.gt(0)).mul_(255);
  const auto colours = whole.div(alpha.to(at::kInt).clamp_min(1), "floor").clamp_max(255);
  return at::cat({colours.to(at::kByte), alpha}, 2);
}

at::Tensor checked_pixels(const at::Tensor& pixels) {
  if (pixels.dim() != 3 || pixels.size(2) != 3 || pixels.scalar_type() != at::kByte || pixels.numel() == 0)
    throw Error(ErrorKind::failure,
                fmt::format("cannot write a picture of {} with {} dimensions, expected u8 [H, W, 3]",
                            c10::toString(pixels.scalar_type()), pixels.dim()));
  return pixels.cpu().contiguous();
}

Image read_image(const std::filesystem::path& path, std::optional<int64_t> wanted_side, const Run& run) {
  const auto file = MappedFile::open_or_read(path, run);
  const std::string_view bytes = file->bytes();
  const std::string where = path.string();
  if (is_jpeg(bytes)) return decode_jpeg(bytes, where, wanted_side);
  if (const auto decode = decoder(bytes)) return decode(bytes, where);
  if (extension(path) == ".tga") return decode_bmp_or_tga(bytes, where);
  fail_picture(where, fmt::format("expected {}, found {}", picture_formats, kind_of_other(bytes)));
}

bool begins_like_picture(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 12> bytes{};
  file.read(bytes.data(), bytes.size());
  const std::string_view head(bytes.data(), static_cast<size_t>(file.gcount()));
  return is_jpeg(head) || decoder(head) || path.extension() == ".tga";
}

bool is_named_like_picture(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 14> known = {".png", ".jpg",  ".jpeg", ".jfif", ".webp",
                                                      ".gif", ".tif",  ".tiff", ".heic", ".heif",
                                                      ".hif", ".avif", ".bmp",  ".tga"};
  return std::find(known.begin(), known.end(), extension(path)) != known.end();
}

void write_png(const OutputPath& output, const at::Tensor& pixels, const Metadata& text) {
  write_file(output, encode_png(checked_pixels(pixels), text));
}

void write_jpeg(const OutputPath& output, const at::Tensor& pixels, int quality,
                const std::string& parameters, const Run& run) {
  write_file(output, encode_jpeg(checked_pixels(pixels), quality, parameters, run));
}

void write_image(const OutputPath& output, const at::Tensor& pixels, const Metadata& text, const Run& run) {
  const std::string kind = extension(output.path);
  if (kind == ".png") return write_png(output, pixels, text);
  constexpr int quality = 95;
  const auto parameters = text.find("parameters");
  if (kind == ".jpg" || kind == ".jpeg")
    return write_jpeg(output, pixels, quality, parameters == text.end() ? "" : parameters->second, run);
  throw Error(ErrorKind::usage, "no picture format for '" + kind + "' (" + output.path.string() + ")",
              suggest(kind, {".png", ".jpg", ".jpeg"}));
}

}  // namespace w2w
