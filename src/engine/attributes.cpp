#include "w2w/engine/attributes.h"

#include <fmt/format.h>

#include <algorithm>

#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"
#include "w2w/engine/people.h"
#include "w2w/space/directions/direction_fit.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

std::optional<fs::path> directions_of(const AttributeChoice& choice, const Space& space) {
  if (choice.directions) return *choice.directions;
  const auto own = fs::path(space.origin()) / "directions.safetensors";
  if (!choice.labels && !choice.components && fs::exists(own)) return own;
  return std::nullopt;
}

}  // namespace

Labels open_labels(const std::vector<std::string>& files, const Space& space, const Run& run) {
  if (!files.empty()) {
    auto labels = Labels::read(files.front(), space, run);
    for (size_t i = 1; i < files.size(); ++i) labels.append(Labels::read(files[i], space, run));
    return labels;
  }
  const auto path = Labels::of_space(space);
  if (!path) {
    throw Error(ErrorKind::not_found,
                fmt::format("space ({}) has no attributes: expected labels.csv, identity_df.pt or "
                            "directions.safetensors in it",
                            space.origin()),
                "give <labels> or <directions>");
  }
  return Labels::read(*path, space, run);
}

KnownAttribute named_attribute(const std::string& typed, const std::vector<std::string>& known,
                               const std::string& origin, const Run& run) {
  auto found = find_attribute(typed, known, origin);
  if (found.name != typed)
    run.notice(fmt::format("{} is {}{} here", typed, found.opposite ? "the opposite of " : "", found.name));
  return found;
}

std::vector<std::string> usable_attributes(const Labels& labels, const Run& run) {
  std::vector<std::string> usable;
  for (const auto& name : labels.attributes()) {
    try {
      labels.column(name);
      usable.push_back(name);
    } catch (const Error& error) {
      run.notice(fmt::format("left out: {}", error.what()));
    }
  }
  if (usable.empty()) {
    throw Error(ErrorKind::failure,
                fmt::format("no column of these labels can be used ({})", labels.origin()));
  }
  return usable;
}

int64_t direction_components(const std::optional<int64_t>& wanted, const Space& space, const Run& run) {
  const int64_t available = std::min(space.components(), space.data().projections.size(1));
  if (!wanted) return components_up_to(reference_components, available, run);
  if (*wanted > available) {
    throw Error(ErrorKind::usage, fmt::format("expected 1 to {} components, as many as the space ({}) has "
                                              "projections for, found {}",
                                              available, space.origin(), *wanted));
  }
  return *wanted;
}

AttributeSource::AttributeSource(const AttributeChoice& choice, const Space& space, const Run& run)
    : space_(space) {
  if (const auto path = directions_of(choice, space)) {
    origin_ = path->string();
    directions_ = read_directions(*path, space);
    components_ = directions_->components();
    return;
  }
  labels_ = open_labels(choice.labels ? std::vector{*choice.labels} : std::vector<std::string>{}, space, run);
  origin_ = labels_->origin();
  components_ = direction_components(choice.components, space, run);
}

const std::vector<std::string>& AttributeSource::attributes() const {
  return directions_ ? directions_->attributes : labels_->attributes();
}

KnownAttribute AttributeSource::named(const std::string& typed, const Run& run) const {
  auto known = attributes();
  if (directions_) known.insert(known.end(), directions_->without.begin(), directions_->without.end());
  std::vector<std::string> each;  // what was taken out of others may be known itself
  for (auto& name : known) {
    if (std::find(each.begin(), each.end(), name) == each.end()) each.push_back(std::move(name));
  }
  return named_attribute(typed, each, origin_, run);
}

Directions AttributeSource::directions(const std::vector<std::string>& names, const Run& run) const {
  const auto& known = attributes();
  for (const auto& name : names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    if (directions_ && directions_->lacks(name)) continue;
    throw Error(ErrorKind::usage, fmt::format("unknown attribute '{}' ({})", name, origin_),
                suggest(name, known));
  }
  return directions_
             ? *directions_
             : fit_directions(space_, *labels_, {.attributes = names, .components = components_}, run);
}

Directions AttributeSource::all(const Run& run) const {
  return directions_ ? *directions_ : directions(usable_attributes(*labels_, run), run);
}

}  // namespace w2w
