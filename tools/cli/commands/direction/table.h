#pragma once
// Directions as tables and as members of the JSON object.

#include <optional>
#include <vector>

#include "cli/terminal/reporter.h"
#include "w2w/space/directions/direction_fit.h"

namespace w2w::cli {

using HeldOutScores = std::vector<std::optional<HeldOutScore>>;

/// A line and an element of "attributes" for each direction; `scores`: one for each, or none at all. `print`:
/// the table is the command's result (Reporter::line) or beside it (Reporter::remark).
void show_attributes(const Directions& directions, const HeldOutScores& scores, Reporter& reporter,
                     void (Reporter::*print)(std::string_view));

/// The cosines of all pairs as a triangle, of many attributes only the largest unless --verbose; "cosines". A
/// remark.
void show_cosines(const Directions& directions, Reporter& reporter);

}  // namespace w2w::cli
