#include "cli/commands/direction/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/terminal/terminal.h"

namespace w2w::cli {
namespace {

constexpr double noteworthy = 0.2;       ///< cosine of a related attribute
constexpr size_t most_in_triangle = 12;  ///< attributes whose cosines fit a terminal's width
constexpr size_t pairs_shown = 12;

struct Pair {
  size_t first, second;
  double cosine;
};

std::vector<Pair> by_size(std::vector<Pair> pairs) {
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return std::abs(a.cosine) > std::abs(b.cosine); });
  return pairs;
}

std::string padded(const std::string& text, size_t width) {
  return text + std::string(width - std::min(width, display_width(text)), ' ');
}

size_t widest_name(const Directions& directions) {
  size_t widest = std::string("attribute").size();
  for (const auto& name : directions.attributes) widest = std::max(widest, display_width(name));
  return widest;
}

/// The attributes whose directions resemble this one: what --without takes out.
std::vector<Pair> relatives(const at::Tensor& table, size_t own) {
  std::vector<Pair> found;
  for (size_t other = 0; other < static_cast<size_t>(table.size(0)); ++other) {
    const double cosine = table[static_cast<int64_t>(own)][static_cast<int64_t>(other)].item<double>();
    if (other != own && std::abs(cosine) >= noteworthy) found.push_back({own, other, cosine});
  }
  return by_size(std::move(found));
}

std::string score_header() {
  return fmt::format("  {:>8}  {:>8}  {:>8}  {:>5}", "accuracy", "balanced", "majority", "auc");
}

std::string score_text(const std::optional<HeldOutScore>& score) {
  if (!score) return fmt::format("  {:>8}  {:>8}  {:>8}  {:>5}", "-", "-", "-", "-");
  return fmt::format("  {:>8.3f}  {:>8.3f}  {:>8.3f}  {:>5.3f}", score->accuracy, score->balanced_accuracy,
                     score->majority, score->auc);
}

Json score_json(const std::optional<HeldOutScore>& score) {
  if (!score) return nullptr;
  return {{"models", score->models},
          {"accuracy", score->accuracy},
          {"balanced_accuracy", score->balanced_accuracy},
          {"majority", score->majority},
          {"auc", score->auc}};
}

struct Range {
  double std, largest;
  std::optional<double> smallest, share;

  Range(const Directions& directions, int64_t i, const Space& space)
      : std(directions.deviation(i)),
        largest(directions.largest[i].item<double>()),
        share(variance_share(directions, i, space)) {
    if (directions.smallest.defined()) smallest = directions.smallest[i].item<double>();
  }
  /// The extremes as strengths: in deviations.
  std::string text() const {
    const auto least = smallest ? fmt::format("{:.2f}", *smallest / std) : "-";
    const auto percent = share ? fmt::format("{:.2f}%", 100 * *share) : "-";
    return fmt::format("  {:>9.4g}  {:>8}  {:>7.2f}  {:>8}", std, least, largest / std, percent);
  }
  void add_to(Json& entry) const {
    entry["std"] = std;
    entry["variance_share"] = share ? Json(*share) : Json();
    entry["largest"] = largest;
    entry["largest_strength"] = largest / std;
    entry["smallest"] = smallest ? Json(*smallest) : Json();
    entry["smallest_strength"] = smallest ? Json(*smallest / std) : Json();
  }
};

}  // namespace

Json held_out_json(const std::optional<HeldOut>& held_out) {
  if (!held_out) return nullptr;
  return {{"share", held_out->holdout.share}, {"seed", held_out->holdout.seed}, {"models", held_out->models}};
}

void show_attributes(const Directions& directions, const Space& space, Reporter& reporter,
                     void (Reporter::*print)(std::string_view)) {
  const auto scores = directions.held_out ? directions.held_out->scores : decltype(HeldOut::scores)();
  const auto widest = widest_name(directions);
  const auto table = cosines(directions);
  (reporter.*print)(fmt::format(
      "{}  {:>6}  {:>7}{}  {:>9}  {:>8}  {:>7}  {:>8}  related", padded("attribute", widest), "with",
      "without", scores.empty() ? "" : score_header(), "std", "smallest", "largest", "variance"));
  auto list = Json::array();
  for (size_t i = 0; i < directions.attributes.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    const auto& name = directions.attributes[i];
    const auto with = directions.counts[row][0].item<int64_t>();
    const auto without = directions.counts[row][1].item<int64_t>();
    const Range range(directions, row, space);
    std::string related;  // as text, with its own indent: lines without it do not end in spaces
    auto related_json = Json::object();
    for (const auto& [own, other, cosine] : relatives(table, i)) {
      const auto& relative = directions.attributes[other];
      related += fmt::format("{}{} {:+.2f}", related.empty() ? "  " : ", ", relative, cosine);
      related_json[relative] = cosine;
    }
    (reporter.*print)(fmt::format("{}  {:>6}  {:>7}{}{}{}", padded(name, widest), with, without,
                                  scores.empty() ? "" : score_text(scores[i]), range.text(), related));
    Json entry = {{"attribute", name}, {"with", with}, {"without", without}};
    range.add_to(entry);
    if (!scores.empty()) entry["held_out"] = score_json(scores[i]);
    entry["related"] = related_json;
    list.push_back(entry);
  }
  reporter.field("attributes", list);
}

void show_cosines(const Directions& directions, Reporter& reporter) {
  const auto& names = directions.attributes;
  const auto table = cosines(directions);
  std::vector<Pair> pairs;
  auto json = Json::object();
  for (size_t a = 0; a < names.size(); ++a) {
    for (size_t b = 0; b < names.size(); ++b) {
      const double cosine = table[static_cast<int64_t>(a)][static_cast<int64_t>(b)].item<double>();
      if (a != b) json[names[a]][names[b]] = cosine;
      if (a < b) pairs.push_back({a, b, cosine});
    }
  }
  reporter.field("cosines", json);
  if (pairs.empty()) return;
  reporter.remark("");
  if (names.size() > most_in_triangle && !reporter.options().verbose) {
    reporter.remark("largest cosines (-v shows all)");
    pairs = by_size(std::move(pairs));
    pairs.resize(std::min(pairs.size(), pairs_shown));
    for (const auto& [a, b, cosine] : pairs)
      reporter.remark(fmt::format("  {:+.2f}  {}, {}", cosine, names[a], names[b]));
    return;
  }
  const auto widest = widest_name(directions);
  auto header = padded("cosines", widest + 4);
  for (size_t b = 0; b + 1 < names.size(); ++b) header += fmt::format("  {:>5}", b + 1);
  reporter.remark(header);
  for (size_t a = 0; a < names.size(); ++a) {
    std::string line = fmt::format("{:>2}  ", a + 1) + (a == 0 ? names[a] : padded(names[a], widest));
    for (size_t b = 0; b < a; ++b)
      line +=
          fmt::format("  {:+.2f}", table[static_cast<int64_t>(a)][static_cast<int64_t>(b)].item<double>());
    reporter.remark(line);
  }
}

}  // namespace w2w::cli
