#include "cli/options/edit_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/options/option_values.h"
#include "w2w/base/error.h"

namespace w2w::cli {
namespace {

constexpr NumberRange any_strength = {-1e12, 1e12};
constexpr int64_t most_points = 1000;

[[noreturn]] void fail(const std::string& option, const std::string& form, const std::string& text,
                       const std::string& example) {
  throw Error(ErrorKind::usage, fmt::format("{} expects {}, found '{}'", option, form, text),
              "for example " + option + " " + example);
}

/// Both sides of the first '='.
std::pair<std::string, std::string> split_assignment(const std::string& text) {
  const size_t at = text.find('=');
  if (at == std::string::npos) return {text, ""};
  return {text.substr(0, at), text.substr(at + 1)};
}

}  // namespace

std::vector<AttributeStrength> parse_strengths(const std::vector<std::string>& texts) {
  std::vector<AttributeStrength> all;
  for (const auto& text : texts) {
    for (const auto& part : parse_list("--add", text, "ATTRIBUTE=STRENGTH", "Eyeglasses=1.5,Beard=-1")) {
      const auto [attribute, strength] = split_assignment(part);
      const bool bare = part.find('=') == std::string::npos;
      if (attribute.empty() || (strength.empty() && !bare))
        fail("--add", "ATTRIBUTE=STRENGTH", text, "Eyeglasses=1.5");
      if (bare && is_number(part)) {  // "Beard=1,5"
        throw Error(ErrorKind::usage, fmt::format("--add expects ATTRIBUTE=STRENGTH, found '{}'", text),
                    "write decimals with a point, such as 1.5: commas separate attributes");
      }
      all.push_back({attribute, bare ? usual_strength
                                     : parse_number(fmt::format("--add {}=STRENGTH", attribute), strength,
                                                    any_strength)});
    }
  }
  return all;
}

std::vector<AttributeStrength> parse_sweep(const std::string& text) {
  const auto [attribute, range] = split_assignment(text);
  const size_t first = range.find(':'), last = range.rfind(':');
  if (attribute.empty() || first == std::string::npos || first == last ||
      std::count(range.begin(), range.end(), ':') != 2) {
    fail("--sweep", "ATTRIBUTE=FROM:TO:N", text, "Eyeglasses=-3:3:7");
  }
  const double from = parse_number("--sweep FROM", range.substr(0, first), any_strength);
  const double to = parse_number("--sweep TO", range.substr(first + 1, last - first - 1), any_strength);
  const int64_t count = parse_integer("--sweep N", range.substr(last + 1), {2, most_points});
  std::vector<AttributeStrength> points;
  for (int64_t i = 0; i < count; ++i) {
    const double strength = from + (to - from) * static_cast<double>(i) / static_cast<double>(count - 1);
    // 0.3, not 0.30000000000000004; and no minus zero
    points.push_back(
        {attribute, parse_number("--sweep", fmt::format("{:.12g}", strength), any_strength) + 0.0});
  }
  return points;
}

std::vector<std::string> parse_names(const std::vector<std::string>& texts, const std::string& option) {
  std::vector<std::string> names;
  for (const auto& text : texts) {
    for (auto& name : parse_list(option, text, "attributes", "Male,Young")) names.push_back(std::move(name));
  }
  return names;
}

std::vector<std::string> edit_arguments(const Edit& edit) {
  std::vector<std::string> words;
  for (const auto& [attribute, strength] : edit.adds)
    words.insert(words.end(), {"--add", fmt::format("{}={}", attribute, strength)});
  if (!edit.without.empty())
    words.insert(words.end(), {"--without", fmt::format("{}", fmt::join(edit.without, ","))});
  if (edit.debias == Debias::sequential) words.push_back("--sequential");
  if (edit.raw) words.push_back("--raw");
  return words;
}

}  // namespace w2w::cli
