#pragma once
// What can be done with low-rank changes without any model. Everything is computed in f32.

#include <vector>

#include "w2w/lora/factors.h"

namespace w2w {

/// scale * up @ down, f32 [out, in].
at::Tensor delta(const Factors& factors);

/// The sum over all entries of the product of both changes (Frobenius), f64, without forming them. Both are
/// of the same matrix.
double inner_product(const Factors& a, const Factors& b);

/// weight <- base + scale * up @ down, written straight into `weight` when both are f32, and otherwise
/// computed in f32 and rounded once; of rank 1 in a single pass over memory. `weight` and `base` are [out,
/// in] and may not overlap. Error(failure) when shapes differ.
void bake(at::Tensor& weight, const at::Tensor& base, const Factors& factors);

/// The rank-1 change nearest to `factors` (Frobenius norm), scale 1, |up| = |down|, the largest entry of down
/// positive. The in x out matrix is never formed: up = Q_u R_u and down^T = Q_d R_d, so only the small R_u
/// R_d^T needs an SVD. Factors of rank 1 are returned as they are.
Factors best_rank_one(const Factors& factors);

struct WeightedLora {
  Lora lora;
  double weight = 1.0;
};

/// The sum of the weighted changes, exactly: ranks add up, scale 1. This mixes *models*; moving between
/// identities in a space mixes *factors*, which is another thing: (A1 + A2)(B1 + B2) is not A1 B1 + A2 B2.
Lora blend(const std::vector<WeightedLora>& parts);

/// The same changes with the scale folded into up.
Lora folded(const Lora& lora);

}  // namespace w2w
