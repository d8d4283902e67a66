#pragma once
#include <ATen/core/Tensor.h>

#include "w2w/base/run.h"

namespace w2w {

/// DirectionMethod::logistic for all attributes at once: d f64 [k, m] for projections [n, k] and labels f64
/// [n, m] of +1, -1 and 0 (unknown). Newton's method with halved steps where the loss would rise; its linear
/// systems by conjugate gradients, so that no k x k matrix is made and all attributes share each pass over
/// the projections. Ends when every gradient is 1e-9 of its first.
at::Tensor logistic_normals(const at::Tensor& projections, const at::Tensor& labels, double penalty,
                            const Run& run);

}  // namespace w2w
