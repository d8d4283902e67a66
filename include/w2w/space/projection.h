#pragma once
// A LoRA made anywhere, as a point of the space: the inverse of Space::lora.
//
// A change s B A of rank 1 is the same for (t A, B / t) with any t, while the space knows one A and one B of
// each matrix (all its models were trained from the same A). So the coefficients c and the t of every matrix
// are found together, as those that leave the least outside:
//   minimise over c, t   || x(t) - V c ||,   x(t) = (theta(t) - mean) / std
// Where t = 1 leaves as little but for chance, as with models trained from the space's own start, it is 1.

#include "w2w/base/run.h"
#include "w2w/space/space.h"

namespace w2w {

struct Projection {
  at::Tensor coefficients;  ///< f32 [k]
  /// || x - V c || / || x ||: which part of what makes this person differ from the mean person, parameter by
  /// parameter in standard deviations, the space cannot express.
  double outside = 0;
  /// || sum of dW - dW(c) || / || dW || over all matrices (Frobenius): by how much the change that the
  /// coefficients make differs from the one of the LoRA.
  double change_outside = 0;
  /// The same for the LoRA cut to rank 1: what of change_outside is owed to its higher rank.
  double rank_outside = 0;
};

/// The point of the first `components` components nearest to `lora`; higher ranks enter by best_rank_one.
/// Parameters that never differ among the training models count nothing. Reads the components a few times
/// from end to end, in f64. Error(failure) naming the module when `lora` lacks one of the space or has
/// others, or when the space is not of rank 1; Error(usage) for a number of components the space does not
/// have.
Projection project(const Space& space, const Lora& lora, int64_t components, const Run& run = {});

}  // namespace w2w
