#pragma once
#include "w2w/space/directions/direction_fit.h"

namespace w2w {

/// The normals of the classifiers, f64 [k, m], by fit.method; projections [n, k] as in row_blocks.h, labels
/// f64 [n, m]: +1, -1, or 0 where unknown. Each column must have both labels.
at::Tensor classifier_normals(const at::Tensor& projections, const at::Tensor& labels,
                              const DirectionFit& fit, const Run& run);

}  // namespace w2w
