#include "text/words.h"

#include <utf8proc.h>

#include <algorithm>
#include <vector>

#include "text/unicode_class.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

void append_utf8(std::string& out, int32_t character) {
  utf8proc_uint8_t bytes[4];
  const auto size = utf8proc_encode_char(character, bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
}

/// The character at the front of `text` (not empty) and its size; U+FFFD and 1 where there is none.
std::pair<int32_t, size_t> front_character(std::string_view text) {
  int32_t character = 0;
  const auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                     static_cast<utf8proc_ssize_t>(text.size()), &character);
  if (size <= 0) return {0xFFFD, 1};
  return {character, static_cast<size_t>(size)};
}

std::string valid_utf8(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    const auto [character, size] = front_character(text);
    append_utf8(valid, character);
    text.remove_prefix(size);
  }
  return valid;
}

/// Appends the characters of `text` (valid UTF-8) in NFC.
void append_composed(std::string_view text, std::vector<int32_t>& out) {
  constexpr auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const auto size = static_cast<utf8proc_ssize_t>(text.size());
  std::vector<int32_t> characters(text.size() * 2 + 16);
  auto count = utf8proc_decompose(bytes, size, characters.data(),
                                  static_cast<utf8proc_ssize_t>(characters.size()), options);
  if (count > static_cast<utf8proc_ssize_t>(characters.size())) {
    characters.resize(static_cast<size_t>(count));
    count = utf8proc_decompose(bytes, size, characters.data(), count, options);
  }
  if (count >= 0) count = utf8proc_normalize_utf32(characters.data(), count, options);
  if (count < 0)
    throw Error(ErrorKind::failure, std::string("text cannot be normalised: ") + utf8proc_errmsg(count));
  out.insert(out.end(), characters.begin(), characters.begin() + count);
}

/// The characters of `text` (valid UTF-8) in the NFC of transformers, for which newer marks are characters
/// like any other.
std::vector<int32_t> composed(std::string_view text) {
  std::vector<int32_t> characters;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const auto [character, size] = front_character(text.substr(at));
    if (fixed_in_composition(character)) {
      append_composed(text.substr(begin, at - begin), characters);
      characters.push_back(character);
      begin = at + size;
    }
    at += size;
  }
  append_composed(text.substr(begin), characters);
  return characters;
}

/// Length of the contraction at the front of `text`, 0 when there is none.
size_t contraction_size(std::string_view text) {
  for (const std::string_view contraction : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (text.starts_with(contraction)) return contraction.size();
  }
  return 0;
}

/// Length of the characters of class `wanted` at the front of `text`.
size_t run_size(std::string_view text, CharacterClass wanted) {
  size_t run = 0;
  while (run < text.size()) {
    const auto [character, size] = front_character(text.substr(run));
    if (character_class(character) != wanted) break;
    run += size;
  }
  return run;
}

bool is_word_character(int32_t character) {
  const auto within = [&](int32_t first, int32_t last) { return character >= first && character <= last; };
  if (within(0x24B6, 0x24E9) || within(0x1F130, 0x1F149) || within(0x1F150, 0x1F169) ||
      within(0x1F170, 0x1F189) || within(0x200C, 0x200D))
    return true;  // letters in circles and squares count as alphabetic; joiners
  switch (utf8proc_category(character)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string normalize_text(std::string_view text) {
  std::string normal;
  normal.reserve(text.size());
  for (const int32_t character : composed(valid_utf8(text))) {
    if (character == 0x130) {
      normal += "i\xCC\x87";
    } else {
      append_utf8(normal, lower_case(character));
    }
  }
  return normal;
}

void for_each_word(std::string_view text, const std::function<void(std::string_view)>& word) {
  const auto take = [&](size_t size) {
    word(text.substr(0, size));
    text.remove_prefix(size);
  };
  while (!text.empty()) {
    if (text.starts_with("<|startoftext|>") || text.starts_with("<|endoftext|>")) {
      take(2);
      take(text.find('|'));
      take(2);
    } else if (const size_t contraction = contraction_size(text)) {
      take(contraction);
    } else {
      const auto [character, size] = front_character(text);
      switch (const auto kind = character_class(character)) {
        case CharacterClass::space:
          text.remove_prefix(size);
          break;
        case CharacterClass::number:
          take(size);
          break;
        case CharacterClass::letter:
        case CharacterClass::other:
          take(run_size(text, kind));
          break;
      }
    }
  }
}

bool starts_with_word(std::string_view text) {
  return !text.empty() && is_word_character(front_character(text).first);
}

bool ends_with_word(std::string_view text) {
  size_t at = text.size();
  while (at > 0 && (static_cast<unsigned char>(text[--at]) & 0xC0) == 0x80) continue;
  return starts_with_word(text.substr(at));
}

}  // namespace w2w
