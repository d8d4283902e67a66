#pragma once
// Which of the training models' people have which attribute.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "w2w/space/space.h"

namespace w2w {

/// Names of the training models in the order of the projections: the space's own, else those in the labels
/// that came with it, of which identity_df.pt is first. Empty where there are none, not as many, or only the
/// numbers of the rows.
std::vector<std::string> training_names(const Space& space, const Run& run = {});

class Labels {
 public:
  /// Reads CSV or identity_df.pt (io/data_frame.h) and puts its rows in the order of the space's projections:
  /// by name where there are training_names, otherwise, or where the table only counts its rows (0, 1, 2,
  /// ...) and these are not the names, they must be in order already. Error(failure) naming some rows that
  /// only one side has, Error(malformed) for a name that occurs twice, Error(failure) for a space without
  /// projections.
  static Labels read(const std::filesystem::path& path, const Space& space, const Run& run = {});

  /// The labels that come with a space: labels.csv, or identity_df.pt in a released folder; none without.
  static std::optional<std::filesystem::path> of_space(const Space& space);

  /// Adds the attributes of another table of the same space. Error(failure) when both name one.
  void append(const Labels& other);

  const std::vector<std::string>& attributes() const { return attributes_; }
  const std::string& origin() const { return origin_; }

  /// One attribute of all training models, f32 [n]: +1 with it, -1 without, NaN unknown. Columns of 0 and 1,
  /// as other tools write CelebA's, count as -1 and +1. Error(usage) with the nearest name for an unknown
  /// attribute; Error(failure) when the column holds other numbers or does not tell two groups apart.
  at::Tensor column(const std::string& attribute) const;

 private:
  std::vector<std::string> attributes_;
  at::Tensor values_;  ///< f32 [n, attributes], as in the file
  std::string origin_;
};

}  // namespace w2w
