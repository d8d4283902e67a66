#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace w2w {

std::string latin1_to_utf8(std::string_view bytes);
/// Nothing when a character does not exist in Latin-1 or the text is not UTF-8.
std::optional<std::string> utf8_to_latin1(std::string_view text);
/// The bytes before the first that is not UTF-8; the text's size where all of it is.
size_t utf8_size(std::string_view text);
bool is_utf8(std::string_view text);
/// What is not UTF-8 becomes U+FFFD.
std::string valid_utf8(std::string_view text);
/// Lone surrogates become U+FFFD; an odd last byte is dropped.
std::string utf16_to_utf8(std::string_view bytes, bool big_endian);
/// What is not UTF-8 becomes U+FFFD.
std::string utf8_to_utf16_big_endian(std::string_view text);

}  // namespace w2w
