#include "w2w/base/nearest_name.h"

#include <algorithm>
#include <cctype>
#include <numeric>

namespace w2w {
namespace {

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

/// Edit distance, case ignored, with two swapped neighbours as one edit (optimal string alignment); only the
/// last three rows of its table are kept.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      row[j + 1] = std::min({last[j] + (lower(a[i]) != lower(b[j])), row[j] + 1, last[j + 1] + 1});
      const bool swapped = i > 0 && j > 0 && lower(a[i]) == lower(b[j - 1]) && lower(a[i - 1]) == lower(b[j]);
      if (swapped) row[j + 1] = std::min(row[j + 1], before[j - 1] + 1);
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  size_t best_distance = std::max<size_t>(1, name.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    const size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string suggest(std::string_view name, const std::vector<std::string>& candidates, size_t shown) {
  if (auto near = nearest_name(name, candidates)) return "did you mean '" + *near + "'?";
  if (candidates.empty()) return {};
  std::string list = "one of: ";
  for (size_t i = 0; i < std::min(shown, candidates.size()); ++i) list += (i ? ", " : "") + candidates[i];
  return candidates.size() > shown ? list + ", ..." : list;
}

}  // namespace w2w
