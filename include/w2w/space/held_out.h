#pragma once
// How well directions tell people apart whom they were not fitted to.

#include <cstdint>
#include <optional>
#include <vector>

namespace w2w {

/// Which training models are kept from the classifiers to test them.
struct Holdout {
  double share = 0.2;  ///< above 0, below 1
  uint64_t seed = 0;
};

/// How a classifier that never saw the held-out models judges them. A model has the attribute when its answer
/// is above the middle between the mean answers of both groups of the models learned from. That rule is the
/// same for all methods, so that figures compare directions; without a penalty on rare attributes, it is fair
/// to both groups, so `balanced_accuracy` is the figure to read and `accuracy` can fall below `majority`
/// where one group is small.
struct HeldOutScore {
  int64_t models = 0;            ///< held out and labelled
  double accuracy = 0;           ///< share judged rightly
  double balanced_accuracy = 0;  ///< mean of the shares of both groups: 0.5 is chance
  double majority = 0;           ///< share of the larger group: what always giving one answer scores
  double auc = 0;                ///< chance that one with the attribute answers more than one without
};

/// A test of several attributes.
struct HeldOut {
  Holdout holdout;
  int64_t models = 0;  ///< held out
  /// One for each attribute; none where a group has no model on one of the two sides.
  std::vector<std::optional<HeldOutScore>> scores;
};

}  // namespace w2w
