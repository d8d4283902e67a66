#pragma once
// What was done to make a person, as coefficients and LoRAs carry it: a JSON list of commands.

#include <string>

#include "cli/terminal/reporter.h"

namespace w2w::cli {

/// The list in `history`; an empty one, with a warning, where there is none.
Json history_list(const std::string& history);

/// `history` with one entry more.
std::string longer_history(const std::string& history, const Json& entry);

}  // namespace w2w::cli
