#include "io/text_encoding.h"

#include <cstdint>

namespace w2w {
namespace {

constexpr char32_t replacement = 0xFFFD;

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

/// Takes one code point off `text`; nothing for a byte that does not begin a valid, shortest sequence.
std::optional<char32_t> next_code_point(std::string_view& text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const size_t length = lead < 0x80         ? 1
                        : (lead >> 5) == 6  ? 2
                        : (lead >> 4) == 14 ? 3
                        : (lead >> 3) == 30 ? 4
                                            : 0;
  constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  char32_t code = length <= 1 ? lead : lead & (0x7F >> length);
  bool valid = length > 0 && length <= text.size();
  for (size_t i = 1; valid && i < length; ++i) {
    valid = (byte(i) & 0xC0) == 0x80;
    code = code << 6 | (byte(i) & 0x3F);
  }
  valid = valid && code >= smallest[length] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
  text.remove_prefix(valid ? length : 1);
  return valid ? std::optional(code) : std::nullopt;
}

}  // namespace

std::string latin1_to_utf8(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) append_utf8(text, static_cast<unsigned char>(byte));
  return text;
}

std::optional<std::string> utf8_to_latin1(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const auto code = next_code_point(text);
    if (!code || *code > 0xFF) return std::nullopt;
    bytes.push_back(static_cast<char>(*code));
  }
  return bytes;
}

size_t utf8_size(std::string_view text) {
  for (auto rest = text; !rest.empty();) {
    const size_t at = text.size() - rest.size();
    if (!next_code_point(rest)) return at;
  }
  return text.size();
}

bool is_utf8(std::string_view text) { return utf8_size(text) == text.size(); }

std::string valid_utf8(std::string_view text) {
  std::string valid;
  while (!text.empty()) append_utf8(valid, next_code_point(text).value_or(replacement));
  return valid;
}

std::string utf16_to_utf8(std::string_view bytes, bool big_endian) {
  const size_t count = bytes.size() / 2;
  const auto unit = [&](size_t i) -> char32_t {
    const auto first = static_cast<unsigned char>(bytes[2 * i]),
               second = static_cast<unsigned char>(bytes[2 * i + 1]);
    return big_endian ? char32_t{first} << 8 | second : char32_t{second} << 8 | first;
  };
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    const char32_t code = unit(i);
    const bool high = code >= 0xD800 && code < 0xDC00, low = code >= 0xDC00 && code < 0xE000;
    if (high && i + 1 < count && unit(i + 1) >= 0xDC00 && unit(i + 1) < 0xE000) {
      append_utf8(text, 0x10000 + ((code - 0xD800) << 10) + (unit(i + 1) - 0xDC00));
      ++i;
    } else {
      append_utf8(text, high || low ? replacement : code);
    }
  }
  return text;
}

std::string utf8_to_utf16_big_endian(std::string_view text) {
  std::string bytes;
  const auto put = [&](char32_t unit) {
    bytes.push_back(static_cast<char>(unit >> 8));
    bytes.push_back(static_cast<char>(unit));
  };
  while (!text.empty()) {
    const char32_t code = next_code_point(text).value_or(replacement);
    if (code < 0x10000) {
      put(code);
    } else {
      put(0xD800 + ((code - 0x10000) >> 10));
      put(0xDC00 + ((code - 0x10000) & 0x3FF));
    }
  }
  return bytes;
}

}  // namespace w2w
