#pragma once
#include <ATen/core/Tensor.h>

namespace w2w {

/// The scales t [M] that minimise y^T Q y for y = (t, 1 / t, -1) and Q f64 [2M + 1, 2M + 1], positive
/// semidefinite. `local`, of the same form, gives the start: its entries between different t are not used.
/// Signs may differ from those of the start.
at::Tensor best_scales(const at::Tensor& q, const at::Tensor& local);

}  // namespace w2w
