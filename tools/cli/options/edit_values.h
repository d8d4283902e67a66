#pragma once
// Strengths and names of attributes as typed.

#include <string>
#include <vector>

#include "w2w/engine/edit.h"

namespace w2w::cli {

/// Of an attribute without a strength.
inline constexpr double usual_strength = 2;

/// "Eyeglasses=1.5", "Eyeglasses" or several of them with commas between, of all `texts`. Error(usage) naming
/// --add.
std::vector<AttributeStrength> parse_strengths(const std::vector<std::string>& texts);

/// "Eyeglasses=-3:3:7": 7 strengths from -3 to 3. Error(usage).
std::vector<AttributeStrength> parse_sweep(const std::string& text);

/// "Male,Young" -> Male Young, of all `texts`. Error(usage) for an empty name.
std::vector<std::string> parse_names(const std::vector<std::string>& texts, const std::string& option);

/// An edit as options of `w2w edit`.
std::vector<std::string> edit_arguments(const Edit& edit);

}  // namespace w2w::cli
