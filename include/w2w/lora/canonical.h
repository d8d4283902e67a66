#pragma once
#include "w2w/lora/factors.h"

namespace w2w {

/// A change of rank 1 in the one form it has among all (t A, B / t), also with negative t: scale 1, |up| =
/// |down|, and the product of down with `like` [1, in] positive; without `like`, the largest entry of down. A
/// down that was trained from the same start as `like` keeps its sign whatever its largest entry is. Of higher
/// ranks, best_rank_one.
Factors canonical(const Factors& factors, const at::Tensor& like = {});

}  // namespace w2w
