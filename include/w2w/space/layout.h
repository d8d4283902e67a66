#pragma once
// How a vector of the weight space is cut into the low-rank factors of a model.

#include "w2w/lora/factors.h"
#include "w2w/lora/target.h"

namespace w2w {

/// theta is the concatenation over the targets, in alphabetical order of their names, of A (rank x in, row by
/// row) and B (out x rank, row by row). This is the order of the reference's weight vectors (docs/method.md,
/// "The space").
class Layout {
 public:
  /// `targets` in flatten order (attention_targets gives it); Error(malformed) when they are empty, out of
  /// order or repeated.
  explicit Layout(Targets targets, int64_t rank = 1, double alpha = 27);

  const Targets& targets() const { return targets_; }
  int64_t rank() const { return rank_; }
  double alpha() const { return alpha_; }
  double scale() const { return alpha_ / static_cast<double>(rank_); }
  int64_t parameters() const { return parameters_; }  ///< P

  /// The factors as views of theta [P], with the layout's scale; of theta [n, P], those of n models side by
  /// side: A [n, rank, in], B [n, out, rank]. Error(failure) when theta has another length.
  Lora factors(const at::Tensor& theta) const;

  /// The inverse, f32 [P]: another scale than the layout's goes into B. Error(failure), naming the module,
  /// unless `lora` has factors of this rank and of fitting shapes for exactly the targets.
  at::Tensor flatten(const Lora& lora) const;

 private:
  Targets targets_;
  int64_t rank_;
  double alpha_;
  int64_t parameters_ = 0;
};

}  // namespace w2w
