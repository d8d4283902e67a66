#pragma once
// How BPE vocabularies of the GPT-2 family write bytes, and how we hand them to SentencePiece.
//
// vocab.json spells each byte as one printable character (GPT-2's bytes_to_unicode): the 188 printable bytes
// of latin-1 stand for themselves, the other 68 for U+0100.. in order; the last byte of a word carries "</w>"
// behind it. A symbol is what BPE starts from: byte b inside a word is number b, the last byte of a word is
// number 256 + b. In SentencePiece a symbol must be one character: GPT-2's for b, the private U+E000 + b for
// 256 + b.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace w2w {

inline constexpr size_t symbol_count = 512;
inline constexpr std::string_view end_of_word = "</w>";

/// The bytes in the order of CLIP's ids 0..255.
const std::array<uint8_t, 256>& alphabet_order();
/// GPT-2's character of a byte, as UTF-8.
const std::string& byte_text(uint8_t byte);
/// The character that stands for a symbol in SentencePiece, as UTF-8.
const std::string& symbol_text(uint16_t symbol);
/// The symbols of a vocabulary entry; nothing when it holds a character that stands for no byte.
std::optional<std::vector<uint16_t>> piece_symbols(std::string_view piece);

}  // namespace w2w
