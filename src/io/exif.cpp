// EXIF is TIFF: "II" or "MM" (byte order), 42, the offset of the first directory. A directory is a 16-bit
// count of 12-byte entries (tag, type, 32-bit count, value or its offset) and the offset of the next
// directory.

#include "io/exif.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "io/text_encoding.h"

namespace w2w {
namespace {

constexpr int orientation_tag = 0x0112, exif_directory_tag = 0x8769, user_comment_tag = 0x9286;
constexpr std::string_view unicode("UNICODE\0", 8), ascii("ASCII\0\0\0", 8), undefined("\0\0\0\0\0\0\0\0", 8);

class Tiff {
 public:
  explicit Tiff(std::string_view bytes) : bytes_(bytes), big_endian_(bytes.starts_with("MM")) {}

  bool valid() const { return (big_endian_ || bytes_.starts_with("II")) && number(2, 2) == 42; }
  uint32_t first_directory() const { return number(4, 4); }

  /// Position of the entry of this tag in the directory at `directory`.
  std::optional<size_t> entry(size_t directory, uint32_t tag) const {
    const size_t count = number(directory, 2);
    for (size_t i = 0; i < count; ++i) {
      const size_t at = directory + 2 + 12 * i;
      if (at + 12 > bytes_.size()) break;
      if (number(at, 2) == tag) return at;
    }
    return std::nullopt;
  }

  /// 0 beyond the end.
  uint32_t number(size_t at, size_t size) const {
    if (at + size > bytes_.size()) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i)
      value = value << 8 | static_cast<unsigned char>(bytes_[big_endian_ ? at + i : at + size - 1 - i]);
    return value;
  }

  std::string_view bytes(size_t at, size_t size) const {
    return at > bytes_.size() || size > bytes_.size() - at ? std::string_view{} : bytes_.substr(at, size);
  }

 private:
  std::string_view bytes_;
  bool big_endian_;
};

/// Writers disagree on the byte order of UNICODE comments (the standard says that of the file, A1111's piexif
/// big-endian): Latin letters show it by where their zero bytes are.
bool looks_big_endian(std::string_view utf16) {
  size_t zeros[2] = {0, 0};
  for (size_t i = 0; i < utf16.size(); ++i) zeros[i % 2] += utf16[i] == '\0';
  return zeros[0] >= zeros[1];
}

std::string comment_text(std::string_view value) {
  const std::string_view charset = value.substr(0, 8);
  std::string_view text = value.size() > 8 ? value.substr(8) : std::string_view{};
  if (charset == unicode) return utf16_to_utf8(text, looks_big_endian(text));
  if (charset != ascii && charset != undefined) return {};
  while (text.ends_with('\0') || text.ends_with(' ')) text.remove_suffix(1);
  return is_utf8(text) ? std::string(text) : latin1_to_utf8(text);
}

void put(std::string& out, uint32_t number, int size) {  // big-endian
  for (int i = size; i-- > 0;) out.push_back(static_cast<char>(number >> (8 * i)));
}

/// The orientation that an XMP packet gives as tiff:Orientation, 0 where it gives none.
int xmp_orientation(std::string_view xmp) {
  for (const std::string_view start : {"tiff:Orientation=\"", "tiff:Orientation>"}) {
    const size_t at = xmp.find(start);
    if (at == std::string_view::npos || at + start.size() >= xmp.size()) continue;
    const int orientation = xmp[at + start.size()] - '0';
    if (orientation >= 1 && orientation <= 8) return orientation;
  }
  return 0;
}

}  // namespace

Exif read_exif(std::string_view bytes) {
  if (bytes.starts_with(exif_signature)) bytes.remove_prefix(exif_signature.size());
  const Tiff tiff(bytes);
  Exif exif;
  if (!tiff.valid()) return exif;
  if (const auto entry = tiff.entry(tiff.first_directory(), orientation_tag)) {
    const uint32_t orientation = tiff.number(*entry + 8, 2);
    if (orientation >= 1 && orientation <= 8) exif.orientation = static_cast<int>(orientation);
  }
  if (const auto pointer = tiff.entry(tiff.first_directory(), exif_directory_tag)) {
    if (const auto entry = tiff.entry(tiff.number(*pointer + 8, 4), user_comment_tag))
      exif.comment = comment_text(tiff.bytes(tiff.number(*entry + 8, 4), tiff.number(*entry + 4, 4)));
  }
  return exif;
}

int orientation_of(const Exif& exif, std::string_view xmp) {
  return std::max(1, exif.orientation ? exif.orientation : xmp_orientation(xmp));
}

at::Tensor upright(const at::Tensor& pixels, int orientation) {
  if (orientation == 1) return pixels;
  const at::Tensor turned = orientation >= 5 ? pixels.transpose(0, 1) : pixels;
  std::vector<int64_t> flips;
  if (orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8) flips.push_back(0);
  if (orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7) flips.push_back(1);
  return turned.flip(flips).contiguous();
}

std::string write_exif(const std::string& comment) {
  constexpr uint32_t long_type = 4, undefined_type = 7, directory_size = 2 + 12 + 4;
  const std::string value = std::string(unicode) + utf8_to_utf16_big_endian(comment);
  std::string out("MM\0\x2a", 4);
  put(out, 8, 4);
  const auto put_directory = [&](uint32_t tag, uint32_t type, size_t count, uint32_t content) {
    put(out, 1, 2);
    put(out, tag, 2);
    put(out, type, 2);
    put(out, static_cast<uint32_t>(count), 4);
    put(out, content, 4);
    put(out, 0, 4);
  };
  put_directory(exif_directory_tag, long_type, 1, 8 + directory_size);
  put_directory(user_comment_tag, undefined_type, value.size(), 8 + 2 * directory_size);
  return out + value;
}

}  // namespace w2w
