#pragma once
// What was done to make a person, as coefficients and LoRAs carry it: a JSON list of commands.

#include <nlohmann/json.hpp>
#include <string>

#include "w2w/base/run.h"

namespace w2w {

using Json = nlohmann::ordered_json;

/// The list in `history`; an empty one, with a warning, where there is none.
Json history_list(const std::string& history, const Run& run);

/// `history` with one entry more.
std::string longer_history(const std::string& history, const Json& entry, const Run& run);

/// A history of one entry.
std::string new_history(const Json& entry);

}  // namespace w2w
