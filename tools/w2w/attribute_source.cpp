#include "w2w/attribute_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "w2w/base/error.h"
#include "w2w/base/log.h"
#include "w2w/base/nearest_name.h"
#include "w2w/option_values.h"
#include "w2w/space_choice.h"

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
  const auto path = options.labels ? std::optional<fs::path>(*options.labels) : Labels::of_space(space);
  if (!path) {
    throw Error(ErrorKind::not_found,
                fmt::format("space ({}) knows no attributes: expected labels.csv, identity_df.pt or "
                            "directions.safetensors in it",
                            space.origin()),
                "give --labels or --directions");
  }
  origin_ = path->string();
  labels_ = Labels::read(*path, space);
  components_ = components_of(options);
}

int64_t AttributeSource::components_of(const AttributeOptions& options) const {
  const int64_t available = std::min(space_.components(), space_.data().projections.size(1));
  if (!options.components) return components_up_to(reference_components, available);
  if (*options.components > available) {
    throw Error(ErrorKind::usage, fmt::format("--components expects 1 to {}, as many as the space ({}) has "
                                              "projections for, found {}",
                                              available, space_.origin(), *options.components));
  }
  return *options.components;
}

const std::vector<std::string>& AttributeSource::attributes() const {
  return directions_ ? directions_->attributes : labels_->attributes();
}

Directions AttributeSource::directions(const std::vector<std::string>& names) const {
  const auto& known = attributes();
  for (const auto& name : names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    throw Error(ErrorKind::usage, fmt::format("unknown attribute '{}' ({})", name, origin_),
                suggest(name, known));
  }
  return directions_ ? *directions_ : fit_directions(space_, *labels_, names, components_);
}

Directions AttributeSource::all() const {
  if (directions_) return *directions_;
  std::vector<std::string> usable;
  for (const auto& name : labels_->attributes()) {
    try {
      labels_->column(name);
      usable.push_back(name);
    } catch (const Error& error) {
      notice(fmt::format("left out: {}", error.what()));
    }
  }
  if (usable.empty()) {
    throw Error(ErrorKind::failure, fmt::format("no column of these labels can be used ({})", origin_));
  }
  return fit_directions(space_, *labels_, usable, components_);
}

}  // namespace w2w::cli
