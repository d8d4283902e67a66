// w2w direction: the attributes a space knows.

#include <ATen/TensorOperators.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "w2w/app.h"
#include "w2w/attribute_source.h"
#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"
#include "w2w/locate.h"
#include "w2w/option_values.h"
#include "w2w/reporter.h"
#include "w2w/shared_options.h"
#include "w2w/terminal.h"

namespace w2w::cli {
namespace {

struct DirectionOptions {
  SharedOptions shared;
  AttributeOptions attributes;
  std::vector<std::string> words;
};

void check_words(const std::vector<std::string>& words) {
  const std::string see = "see `w2w help direction`";
  if (words.empty()) throw Error(ErrorKind::usage, "direction expects an action: list", see);
  if (words[0] == "fit") {
    throw Error(ErrorKind::usage, "this version has no `direction fit` yet",
                "`w2w edit` and `w2w direction list` fit directions from --labels as they go");
  }
  if (words[0] != "list") {
    throw Error(ErrorKind::usage, fmt::format("unknown action '{}' of `w2w direction`", words[0]),
                suggest(words[0], {"list"}));
  }
  if (words.size() > 1) {
    throw Error(ErrorKind::usage, fmt::format("unexpected argument '{}' of `w2w direction list`", words[1]),
                see);
  }
}

struct Relative {
  std::string attribute;
  double cosine;
};

/// The attributes whose directions resemble this one: what --without takes out.
std::vector<Relative> relatives(const Directions& directions, int64_t own) {
  constexpr double noteworthy = 0.2;
  std::vector<Relative> found;
  const auto& vectors = directions.vectors;
  for (int64_t other = 0; other < vectors.size(0); ++other) {
    const double cosine = vectors[own].dot(vectors[other]).item<double>() /
                          (vectors[own].norm() * vectors[other].norm()).item<double>();
    if (other != own && std::abs(cosine) >= noteworthy)
      found.push_back({directions.attributes[static_cast<size_t>(other)], cosine});
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return std::abs(a.cosine) > std::abs(b.cosine); });
  return found;
}

void run_direction(const DirectionOptions& options, Reporter& reporter) {
  check_words(options.words);
  const auto space = Space::open(locate_space(options.shared.space));
  const AttributeSource source(options.attributes, space);
  const auto directions = source.all();

  size_t widest = 9;
  for (const auto& name : directions.attributes) widest = std::max(widest, display_width(name));
  reporter.line(fmt::format("{:<{}}  {:>6}  {:>7}  {:>9}  {:>7}  related", "attribute", widest, "with",
                            "without", "std", "largest"));
  auto list = Json::array();
  for (int64_t i = 0; i < directions.vectors.size(0); ++i) {
    const auto& name = directions.attributes[static_cast<size_t>(i)];
    const auto with = directions.counts[i][0].item<int64_t>(),
               without = directions.counts[i][1].item<int64_t>();
    const double std = directions.deviation(i), largest = directions.largest[i].item<double>();
    std::string related;  // as text, with its own indent: lines without it do not end in spaces
    auto related_json = Json::object();
    for (const auto& [attribute, cosine] : relatives(directions, i)) {
      related += fmt::format("{}{} {:+.2f}", related.empty() ? "  " : ", ", attribute, cosine);
      related_json[attribute] = cosine;
    }
    reporter.line(fmt::format("{:<{}}  {:>6}  {:>7}  {:>9.4g}  {:>7.2f}{}", name, widest, with, without, std,
                              largest / std, related));
    list.push_back({{"attribute", name},
                    {"with", with},
                    {"without", without},
                    {"std", std},
                    {"largest", largest},
                    {"largest_strength", largest / std},
                    {"related", related_json}});
  }
  reporter.field("source", source.origin());
  reporter.field("components", source.components());
  reporter.field("attributes", list);
}

}  // namespace

void add_direction(App& app) {
  auto options = std::make_shared<DirectionOptions>();
  auto& parser = app.add_command(
      {"direction",
       "the attributes a space knows, for edit",
       "list",
       {{"w2w direction list", "attributes of the space: how many people have each, and its range"},
        {"w2w direction list --space released/files", "of the released space, from its identity_df.pt"},
        {"w2w direction list --labels mine.csv", "of your own labels"}}},
      [options](Reporter& reporter) { run_direction(*options, reporter); });
  add_arguments(parser, "action", options->words,
                "list: with and without, the training models that have the attribute and that do not; std, "
                "their standard deviation along its direction: strength 1 of `edit --add`; largest, the one "
                "farthest along it, as a strength; related, attributes with a similar direction (cosine): "
                "candidates for `edit --without`");
  add_attribute_options(parser, options->attributes);
  add_space_option(parser, options->shared);
}

}  // namespace w2w::cli
