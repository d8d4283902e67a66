#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace w2w {

/// The candidate with the smallest edit distance to `name` (case ignored), if it is near enough to be a
/// likely misspelling: at most a third of the name's length, and at least one edit.
std::optional<std::string> nearest_name(std::string_view name, const std::vector<std::string>& candidates);

/// "did you mean 'X'?" or, when nothing is near, "one of: a, b, c" (at most `shown` of them).
std::string suggest(std::string_view name, const std::vector<std::string>& candidates, size_t shown = 12);

}  // namespace w2w
