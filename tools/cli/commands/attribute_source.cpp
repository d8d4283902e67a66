#include "cli/commands/attribute_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/files/space_choice.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"
#include "w2w/base/log.h"
#include "w2w/base/nearest_name.h"
#include "w2w/space/directions/direction_fit.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

std::optional<fs::path> directions_of(const AttributeOptions& options, const Space& space) {
  if (options.directions) return *options.directions;
  const auto own = fs::path(space.origin()) / "directions.safetensors";
  if (!options.labels && !options.components && fs::exists(own)) return own;
  return std::nullopt;
}

}  // namespace

std::vector<std::string> AttributeOptions::arguments() const {
  std::vector<std::string> words;
  if (labels) words.insert(words.end(), {"--labels", *labels});
  if (directions) words.insert(words.end(), {"--directions", *directions});
  if (components) words.insert(words.end(), {"--components", std::to_string(*components)});
  return words;
}

void add_attribute_options(CLI::App& parser, AttributeOptions& options) {
  add_text(parser, "--labels", options.labels, "FILE",
           "attributes of the training models: CSV or identity_df.pt (default: the space's own)");
  add_text(parser, "--directions", options.directions, "FILE",
           "directions.safetensors instead of labels (default: the space's own, if it has one)");
  add_integer(parser, "--components", options.components, {1, 1'000'000},
              "principal components a direction may use (default: 1000, or all the space has)");
}

Labels open_labels(const std::vector<std::string>& files, const Space& space) {
  if (!files.empty()) {
    auto labels = Labels::read(files.front(), space);
    for (size_t i = 1; i < files.size(); ++i) labels.append(Labels::read(files[i], space));
    return labels;
  }
  const auto path = Labels::of_space(space);
  if (!path) {
    throw Error(ErrorKind::not_found,
                fmt::format("space ({}) knows no attributes: expected labels.csv, identity_df.pt or "
                            "directions.safetensors in it",
                            space.origin()),
                "give --labels or --directions");
  }
  return Labels::read(*path, space);
}

std::vector<std::string> usable_attributes(const Labels& labels) {
  std::vector<std::string> usable;
  for (const auto& name : labels.attributes()) {
    try {
      labels.column(name);
      usable.push_back(name);
    } catch (const Error& error) {
      notice(fmt::format("left out: {}", error.what()));
    }
  }
  if (usable.empty()) {
    throw Error(ErrorKind::failure,
                fmt::format("no column of these labels can be used ({})", labels.origin()));
  }
  return usable;
}

int64_t direction_components(const std::optional<int64_t>& wanted, const Space& space) {
  const int64_t available = std::min(space.components(), space.data().projections.size(1));
  if (!wanted) return components_up_to(reference_components, available);
  if (*wanted > available) {
    throw Error(ErrorKind::usage, fmt::format("--components expects 1 to {}, as many as the space ({}) has "
                                              "projections for, found {}",
                                              available, space.origin(), *wanted));
  }
  return *wanted;
}

AttributeSource::AttributeSource(const AttributeOptions& options, const Space& space) : space_(space) {
  if (options.directions && (options.labels || options.components)) {
    throw Error(ErrorKind::usage, fmt::format("--directions holds what {} would make: give one of them",
                                              options.labels ? "--labels" : "--components"));
  }
  if (const auto path = directions_of(options, space)) {
    origin_ = path->string();
    directions_ = read_directions(*path, space);
    components_ = directions_->components();
    return;
  }
  labels_ = open_labels(options.labels ? std::vector{*options.labels} : std::vector<std::string>{}, space);
  origin_ = labels_->origin();
  components_ = direction_components(options.components, space);
}

const std::vector<std::string>& AttributeSource::attributes() const {
  return directions_ ? directions_->attributes : labels_->attributes();
}

Directions AttributeSource::directions(const std::vector<std::string>& names) const {
  const auto& known = attributes();
  for (const auto& name : names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    if (directions_ && directions_->lacks(name)) continue;
    throw Error(ErrorKind::usage, fmt::format("unknown attribute '{}' ({})", name, origin_),
                suggest(name, known));
  }
  return directions_ ? *directions_
                     : fit_directions(space_, *labels_, {.attributes = names, .components = components_});
}

Directions AttributeSource::all() const {
  return directions_ ? *directions_ : directions(usable_attributes(*labels_));
}

}  // namespace w2w::cli
