#include "text/byte_alphabet.h"

#include <utf8proc.h>

namespace w2w {
namespace {

struct Alphabet {
  std::array<uint8_t, 256> order{};
  std::array<std::string, symbol_count> text;  // by symbol, for SentencePiece
  std::array<int16_t, 0x144> byte_of{};        // by GPT-2 character; -1: none

  Alphabet() {
    byte_of.fill(-1);
    size_t count = 0;
    for (int byte = 0; byte < 256; ++byte) {
      if (printable(byte)) add(count++, byte, byte);
    }
    int next = 256;
    for (int byte = 0; byte < 256; ++byte) {
      if (!printable(byte)) add(count++, byte, next++);
    }
  }

  static bool printable(int byte) { return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD); }

  void add(size_t position, int byte, int character) {
    order[position] = static_cast<uint8_t>(byte);
    text[byte] = utf8(character);
    text[256 + byte] = utf8(0xE000 + byte);
    byte_of[character] = static_cast<int16_t>(byte);
  }

  static std::string utf8(int character) {
    utf8proc_uint8_t bytes[4];
    const auto size = utf8proc_encode_char(character, bytes);
    return {reinterpret_cast<const char*>(bytes), static_cast<size_t>(size)};
  }
};

const Alphabet& alphabet() {
  static const Alphabet made;
  return made;
}

}  // namespace

const std::array<uint8_t, 256>& alphabet_order() { return alphabet().order; }
const std::string& byte_text(uint8_t byte) { return alphabet().text[byte]; }
const std::string& symbol_text(uint16_t symbol) { return alphabet().text[symbol]; }

std::optional<std::vector<uint16_t>> piece_symbols(std::string_view piece) {
  // "</w>" alone is the four characters.
  const bool ends_word = piece.size() > end_of_word.size() && piece.ends_with(end_of_word);
  if (ends_word) piece.remove_suffix(end_of_word.size());
  std::vector<uint16_t> symbols;
  symbols.reserve(piece.size());
  while (!piece.empty()) {  // GPT-2's characters are all below U+0144: one or two bytes of UTF-8
    const auto first = static_cast<uint8_t>(piece[0]);
    const bool two = piece.size() > 1 && (first & 0xE0) == 0xC0;
    const size_t character = two ? (first & 0x1FU) << 6 | (static_cast<uint8_t>(piece[1]) & 0x3FU) : first;
    const auto& byte_of = alphabet().byte_of;
    if ((!two && first >= 0x80) || character >= byte_of.size() || byte_of[character] < 0) return std::nullopt;
    symbols.push_back(static_cast<uint16_t>(byte_of[character]));
    piece.remove_prefix(two ? 2 : 1);
  }
  if (symbols.empty()) return std::nullopt;
  if (ends_word) symbols.back() += 256;
  return symbols;
}

}  // namespace w2w
