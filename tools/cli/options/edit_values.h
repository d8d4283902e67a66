#pragma once
// Strengths and names of attributes as typed.

#include <string>
#include <vector>

#include "w2w/engine/edit.h"

namespace w2w::cli {

/// "Eyeglasses=1.5". Error(usage) naming `option`.
AttributeStrength parse_strength(const std::string& text, const std::string& option = "--add");

/// "Eyeglasses=-3:3:7": 7 strengths from -3 to 3. Error(usage).
std::vector<AttributeStrength> parse_sweep(const std::string& text);

/// "Male,Young" -> Male Young, of all `texts`. Error(usage) for an empty name.
std::vector<std::string> parse_names(const std::vector<std::string>& texts, const std::string& option);

/// An edit as options of `w2w edit`.
std::vector<std::string> edit_arguments(const Edit& edit);

}  // namespace w2w::cli
