#pragma once
// Where attributes come from: a directions file, or labels of the training models.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "w2w/base/run.h"
#include "w2w/space/attribute_names.h"
#include "w2w/space/direction.h"
#include "w2w/space/labels.h"

namespace w2w {

/// Where attributes are to come from; nothing given: the space's own.
struct AttributeChoice {
  std::optional<std::string> labels, directions;  ///< files
  std::optional<int64_t> components;              ///< a direction may use so many
};

/// The labels in `files`, whose columns are put side by side, or the space's own when there are none.
/// Error(not_found) when the space has none either.
Labels open_labels(const std::vector<std::string>& files, const Space& space, const Run& run = {});

/// find_attribute, with a notice where it is not the name that was typed.
KnownAttribute named_attribute(const std::string& typed, const std::vector<std::string>& known,
                               const std::string& origin, const Run& run = {});

/// The columns that tell training models apart; others are reported as notices. Error(failure) without any.
std::vector<std::string> usable_attributes(const Labels& labels, const Run& run = {});

/// `wanted`, or reference_components, or all that the space has projections for. Error(usage).
int64_t direction_components(const std::optional<int64_t>& wanted, const Space& space, const Run& run = {});

/// The directions chosen, else the labels, else directions.safetensors of the space, else its labels.
class AttributeSource {
 public:
  /// Error(usage) for options that contradict each other or components the space does not have,
  /// Error(not_found) when there is no source at all; the errors of reading it.
  AttributeSource(const AttributeChoice& choice, const Space& space, const Run& run = {});

  const std::string& origin() const { return origin_; }
  /// Those that can be added.
  const std::vector<std::string>& attributes() const;
  int64_t components() const { return components_; }
  /// named_attribute among those and, with directions, what was taken out of them.
  KnownAttribute named(const std::string& typed, const Run& run = {}) const;

  /// Error(usage) with the nearest name for one that is unknown; of labels, the errors of Labels::column.
  Directions directions(const std::vector<std::string>& names, const Run& run = {}) const;
  /// All that can be used; others are reported as notices.
  Directions all(const Run& run = {}) const;

 private:
  const Space& space_;
  std::string origin_;
  std::optional<Directions> directions_;
  std::optional<Labels> labels_;
  int64_t components_ = 0;
};

}  // namespace w2w
