#include "cli/commands/edit_plan.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

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

AttributeStrength parse_strength(const std::string& text, const std::string& option) {
  const auto [attribute, strength] = split_assignment(text);
  if (attribute.empty() || strength.empty()) fail(option, "ATTRIBUTE=STRENGTH", text, "Eyeglasses=1.5");
  return {attribute, parse_number(fmt::format("{} {}=STRENGTH", option, attribute), strength, any_strength)};
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

std::string signed_text(double strength) {
  if (strength == 0) return "0";
  return (strength < 0 ? "\u2212" : "+") + fmt::format("{}", std::abs(strength));
}

std::vector<std::string> Edit::attributes() const {
  std::vector<std::string> names;
  const auto is_known = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const auto& add : adds) {
    if (is_known(add.attribute)) {
      throw Error(ErrorKind::usage, fmt::format("attribute '{}' is added twice", add.attribute));
    }
    names.push_back(add.attribute);
  }
  for (const auto& name : without) {
    const auto same = [&](const AttributeStrength& add) { return add.attribute == name; };
    if (std::any_of(adds.begin(), adds.end(), same)) {
      throw Error(ErrorKind::usage, fmt::format("attribute '{}' is both added and in --without", name));
    }
    if (!is_known(name)) names.push_back(name);
  }
  return names;
}

at::Tensor Edit::step(const Directions& directions) const {
  auto sum = at::zeros({directions.components()}, at::kDouble);
  for (const auto& [attribute, strength] : adds)
    sum += edit_direction(directions, attribute, without, debias).step(strength, raw);
  return sum;
}

std::vector<std::string> Edit::arguments() const {
  std::vector<std::string> words;
  for (const auto& [attribute, strength] : adds)
    words.insert(words.end(), {"--add", fmt::format("{}={}", attribute, strength)});
  if (!without.empty()) words.insert(words.end(), {"--without", fmt::format("{}", fmt::join(without, ","))});
  if (debias == Debias::sequential) words.push_back("--sequential");
  if (raw) words.push_back("--raw");
  return words;
}

Json Edit::history() const {
  auto strengths = Json::object();
  for (const auto& [attribute, strength] : adds) strengths[attribute] = strength;
  Json entry = {{"command", "edit"}, {"add", strengths}, {"unit", raw ? "raw" : "std"}};
  if (!without.empty()) {
    entry["without"] = without;
    entry["debias"] = debias == Debias::joint ? "joint" : "sequential";
  }
  return entry;
}

std::vector<EditPoint> points_of(const Edit& common, const std::optional<std::string>& sweep) {
  if (!sweep) return {{common, "_edit", "edited"}};
  const auto strengths = parse_sweep(*sweep);
  const auto digits = std::to_string(strengths.size()).size();
  std::vector<EditPoint> points;
  for (const auto& strength : strengths) {
    auto edit = common;
    edit.adds.push_back(strength);
    points.push_back(
        {edit, fmt::format("_edit-{:0{}}", points.size() + 1, digits), signed_text(strength.strength)});
  }
  return points;
}

PictureSheet empty_sheet(const std::string& stem, const std::vector<EditPoint>& points, bool is_sweep,
                         bool original, double inject_at) {
  PictureSheet sheet;
  const auto& edit = points.front().edit;
  for (const auto& add : edit.adds) {
    const bool swept = is_sweep && &add == &edit.adds.back();
    sheet.title += (sheet.title.empty() ? stem + ": " : ", ") + add.attribute;
    if (!swept) sheet.title += " " + signed_text(add.strength);
  }
  sheet.note =
      inject_at >= 1000 ? "edited from the first step on" : fmt::format("edited from t = {} on", inject_at);
  if (!edit.without.empty()) {
    sheet.note += fmt::format(", without {}{}", fmt::join(edit.without, ", "),
                              edit.debias == Debias::sequential ? ", one after the other" : "");
  }
  sheet.note += edit.raw ? "; strengths multiply the raw direction"
                         : "; 1 is one standard deviation of the training models";
  if (original) sheet.columns.push_back("original");
  for (const auto& point : points) sheet.columns.push_back(point.heading);
  return sheet;
}

std::string first_names(const std::vector<std::string>& names) {
  constexpr std::ptrdiff_t shown = 6;
  const auto end = names.begin() + std::min(shown, static_cast<std::ptrdiff_t>(names.size()));
  return fmt::format("{}{}", fmt::join(names.begin(), end, ", "), end == names.end() ? "" : ", ...");
}

}  // namespace w2w::cli
