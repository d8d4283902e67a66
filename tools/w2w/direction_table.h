#pragma once
// Directions as tables on stdout and as members of the JSON object.

#include <optional>
#include <vector>

#include "w2w/reporter.h"
#include "w2w/space/direction_fit.h"

namespace w2w::cli {

using HeldOutScores = std::vector<std::optional<HeldOutScore>>;

/// A line and an element of "attributes" for each direction; `scores`: one for each, or none at all.
void show_attributes(const Directions& directions, const HeldOutScores& scores, Reporter& reporter);

/// The cosines of all pairs as a triangle, of many attributes only the largest unless --verbose; "cosines".
void show_cosines(const Directions& directions, Reporter& reporter);

}  // namespace w2w::cli
