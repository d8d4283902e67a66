#pragma once
// The kernels as differentiable operators of tensors.

#include <ATen/core/Tensor.h>

namespace w2w::cuda {

/// As Accelerator::group_norm and Accelerator::geglu (base/accelerator.h).
at::Tensor group_norm(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                      double eps, bool silu);
at::Tensor geglu(const at::Tensor& x);

}  // namespace w2w::cuda
