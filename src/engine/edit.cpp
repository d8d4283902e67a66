#include "w2w/engine/edit.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "engine/history.h"
#include "io/json_file.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

Json history_entry(const Edit& edit) {
  auto strengths = Json::object();
  for (const auto& [attribute, strength] : edit.adds) strengths[attribute] = strength;
  Json entry = {{"command", "edit"}, {"add", strengths}, {"unit", edit.raw ? "raw" : "std"}};
  if (!edit.without.empty()) {
    entry["without"] = edit.without;
    entry["debias"] = edit.debias == Debias::joint ? "joint" : "sequential";
  }
  return entry;
}

/// An attribute as a part of a file's name.
std::string file_word(std::string name) {
  for (auto& c : name) {
    if (std::string_view("/\\:*?\"<>| \t\n+").find(c) != std::string_view::npos) c = '-';
  }
  return name;
}

/// The first two, how many more, and the last, which is the one that a sweep changes.
std::string joined(std::vector<std::string> words) {
  constexpr size_t most = 3;
  if (words.size() > most) {
    const auto more = fmt::format("and-{}-more", words.size() - most);
    words.erase(words.begin() + 2, words.end() - 1);
    words.insert(words.end() - 1, more);
  }
  return fmt::format("{}", fmt::join(words, "_"));
}

std::string strength_word(double strength, int digits = 4) {
  return fmt::format("{:+.{}g}", strength + 0.0, digits);  // -0 is 0
}

std::string with_rest(std::string name, const Edit& edit) {
  std::vector<std::string> without;
  for (const auto& attribute : edit.without) without.push_back(file_word(attribute));
  if (!without.empty()) name += "_without-" + joined(without);
  return edit.raw ? name + "_raw" : name;
}

}  // namespace

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
      throw Error(ErrorKind::usage, fmt::format("attribute '{}' is both added and taken out", name));
    }
    if (!is_known(name)) names.push_back(name);
  }
  return names;
}

Edit with_known_names(Edit typed, const AttributeSource& source, const Run& run) {
  typed.adds = with_known_names(std::move(typed.adds), source, run);
  for (auto& name : typed.without) name = source.named(name, run).name;
  return typed;
}

std::vector<AttributeStrength> with_known_names(std::vector<AttributeStrength> typed,
                                                const AttributeSource& source, const Run& run) {
  std::map<std::string, KnownAttribute> known;
  for (auto& [attribute, strength] : typed) {
    if (!known.contains(attribute)) known[attribute] = source.named(attribute, run);
    const auto& found = known.at(attribute);
    if (found.opposite) strength = 0.0 - strength;  // of 0 not a minus zero
    attribute = found.name;
  }
  return typed;
}

at::Tensor Edit::step(const Directions& directions) const {
  auto sum = at::zeros({directions.components()}, at::kDouble);
  for (const auto& [attribute, strength] : adds)
    sum += edit_direction(directions, attribute, without, debias).step(strength, raw);
  return sum;
}

std::string edit_name(const Edit& edit, int digits) {
  std::vector<std::string> adds;
  for (const auto& [attribute, strength] : edit.adds)
    adds.push_back(file_word(attribute) + strength_word(strength, digits));
  return with_rest(joined(adds), edit);
}

std::string sweep_name(const Edit& common, const std::vector<AttributeStrength>& sweep) {
  std::vector<std::string> adds;
  for (const auto& [attribute, strength] : common.adds)
    adds.push_back(file_word(attribute) + strength_word(strength));
  adds.push_back(fmt::format("{}{}..{}", file_word(sweep.front().attribute),
                             strength_word(sweep.front().strength), strength_word(sweep.back().strength)));
  return with_rest(joined(adds), common);
}

std::string Edit::history() const { return json_text(history_entry(*this)); }

Identity edited_person(const Identity& original, const Edit& edit, const Directions& directions,
                       const AttributeSource& source, const Space& space, const Run& run) {
  auto person = original;
  person.coefficients = edited(original.coefficients, edit.step(directions));
  set_space(person, space);
  if (person.model.empty()) person.model = space.data().base_model;
  auto entry = history_entry(edit);
  entry["components"] = source.components();
  entry["attributes"] = std::filesystem::path(source.origin()).filename().string();
  if (!directions.without.empty()) {  // before this edit, so nothing else was taken out by it
    entry["without"] = directions.without;
    entry["debias"] = "joint";
  }
  person.history = longer_history(original.history, entry, run);
  return person;
}

std::vector<EditPoint> points_of(const Edit& common, const std::vector<AttributeStrength>& sweep) {
  if (sweep.empty()) return {{common, edit_name(common), "edited"}};
  std::vector<EditPoint> points;
  for (const auto& strength : sweep) {
    auto edit = common;
    edit.adds.push_back(strength);
    points.push_back({edit, edit_name(edit), signed_text(strength.strength)});
  }
  for (const int digits : {6, 9, 17}) {
    std::set<std::string> names;
    for (const auto& point : points) names.insert(point.name);
    if (names.size() == points.size()) break;
    for (auto& point : points) point.name = edit_name(point.edit, digits);
  }
  return points;
}

void remark_strengths(const std::vector<EditPoint>& points, const Directions& directions, const Run& run) {
  constexpr double far = 2;  ///< times the extreme training models
  std::map<std::string, double> strongest;
  for (const auto& point : points) {
    for (const auto& [attribute, strength] : point.edit.adds) {
      auto& most = strongest[attribute];
      if (std::abs(strength) > std::abs(most)) most = strength;
    }
  }
  for (const auto& [attribute, strength] : strongest) {
    const auto index = directions.index(attribute);
    const double unit = directions.deviation(index),
                 largest = directions.largest[index].item<double>() / unit;
    const double smallest =
        directions.smallest.defined() ? directions.smallest[index].item<double>() / unit : -largest;
    const bool raw = points.front().edit.raw;  // then multiples of the vector, not of the deviation
    const double length = raw ? directions.vectors[index].norm().item<double>() / unit : 1;
    if (std::abs(strength) * length <= far * std::max(std::abs(largest), std::abs(smallest))) continue;
    run.notice(fmt::format("{}={:g} is far beyond the training models, which lie between {:.2g} and {:.2g}",
                           attribute, strength, smallest / length, largest / length));
  }
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

}  // namespace w2w
