#pragma once
#include <cstdint>

namespace w2w {

enum class CharacterClass { space, letter, number, other };

/// White_Space, category L, category N, or neither, as of Unicode 16, the edition of transformers' regular
/// expressions.
CharacterClass character_class(int32_t character);

/// The simple lower-case mapping as of Unicode 17, the edition of transformers' normaliser.
int32_t lower_case(int32_t character);

/// Whether transformers' NFC (Unicode 9) leaves this combining character where it is because a later edition
/// added it.
bool fixed_in_composition(int32_t character);

}  // namespace w2w
