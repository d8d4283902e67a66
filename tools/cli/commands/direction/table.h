#pragma once
// Directions as tables and as members of the JSON object.

#include <optional>
#include <string_view>

#include "cli/terminal/reporter.h"
#include "w2w/space/directions/direction_fit.h"

namespace w2w::cli {

/// How the models of a test were chosen; null without one.
Json held_out_json(const std::optional<HeldOut>& held_out);

/// A line and an element of "attributes" for each direction, with its score where there was a test. `print`:
/// the table is the command's result (Reporter::line) or beside it (Reporter::remark).
void show_attributes(const Directions& directions, const Space& space, Reporter& reporter,
                     void (Reporter::*print)(std::string_view));

/// The cosines of all pairs as a triangle, of many attributes only the largest unless --verbose; "cosines". A
/// remark.
void show_cosines(const Directions& directions, Reporter& reporter);

}  // namespace w2w::cli
