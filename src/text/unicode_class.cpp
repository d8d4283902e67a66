#include "text/unicode_class.h"

#include <utf8proc.h>

namespace w2w {
namespace {

// utf8proc 2.8 (Debian 12) knows Unicode 15.0. What later editions added is here, from comparing all
// 1,112,064 characters with tokenizers 0.23.3; tests/parity/test_tokens.py repeats the comparison.
struct Range {
  int32_t first, last;
};
constexpr Range newer_letters[] = {
    {0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3}, {0x10D4A, 0x10D65},
    {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x11380, 0x11389}, {0x1138B, 0x1138B}, {0x1138E, 0x1138E},
    {0x11390, 0x113B5}, {0x113B7, 0x113B7}, {0x113D1, 0x113D1}, {0x113D3, 0x113D3}, {0x11BC0, 0x11BE0},
    {0x13460, 0x143FA}, {0x16100, 0x1611D}, {0x16D40, 0x16D6C}, {0x18CFF, 0x18CFF}, {0x1E5D0, 0x1E5ED},
    {0x1E5F0, 0x1E5F0}, {0x2EBF0, 0x2EE5D}};
constexpr Range newer_numbers[] = {{0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9},
                                   {0x16130, 0x16139}, {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9},
                                   {0x1E5F1, 0x1E5FA}};
constexpr Range newer_marks[] = {
    {0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},
    {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},   {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},
    {0xA82C, 0xA82C},   {0x10D24, 0x10D27}, {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50},
    {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x1145E, 0x1145E}, {0x11839, 0x1183A},
    {0x11930, 0x11930}, {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34},
    {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45}, {0x11D97, 0x11D97},
    {0x11F41, 0x11F42}, {0x16FF0, 0x16FF1}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE},
    {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}};
struct Shift {
  int32_t first, last, by;
};
constexpr Shift newer_capitals[] = {{0x1C89, 0x1C89, 1},      {0xA7CB, 0xA7CB, 0x264 - 0xA7CB},
                                    {0xA7CC, 0xA7CC, 1},      {0xA7CE, 0xA7CE, 1},
                                    {0xA7D2, 0xA7D2, 1},      {0xA7D4, 0xA7D4, 1},
                                    {0xA7DA, 0xA7DA, 1},      {0xA7DC, 0xA7DC, 0x19B - 0xA7DC},
                                    {0x10D50, 0x10D65, 0x20}, {0x16EA0, 0x16EB8, 0x1B}};

template <typename Entries>
const auto* find(const Entries& entries, int32_t character) {
  for (const auto& entry : entries) {
    if (character >= entry.first && character <= entry.last) return &entry;
  }
  return static_cast<decltype(&entries[0])>(nullptr);
}

bool is_space(int32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

}  // namespace

CharacterClass character_class(int32_t character) {
  if (is_space(character)) return CharacterClass::space;
  const auto category = utf8proc_category(character);
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) return CharacterClass::letter;
  if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) return CharacterClass::number;
  if (category == UTF8PROC_CATEGORY_CN) {
    if (find(newer_letters, character)) return CharacterClass::letter;
    if (find(newer_numbers, character)) return CharacterClass::number;
  }
  return CharacterClass::other;
}

int32_t lower_case(int32_t character) {
  const int32_t lower = utf8proc_tolower(character);
  if (lower == character && character > 0x1C88 && utf8proc_category(character) == UTF8PROC_CATEGORY_CN) {
    if (const auto* shift = find(newer_capitals, character)) return character + shift->by;
  }
  return lower;
}

bool fixed_in_composition(int32_t character) {
  return character >= newer_marks[0].first && find(newer_marks, character) != nullptr;
}

}  // namespace w2w
