#pragma once
// The kernels as differentiable operators of tensors.

#include <ATen/core/Tensor.h>

namespace w2w::cuda {

/// As the functions of these names of Accelerator (base/accelerator.h).
at::Tensor group_norm(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                      double eps, bool silu);
at::Tensor add_bias(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& addend);
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& addend, const at::Tensor& weight,
                      const at::Tensor& bias, double eps, at::Tensor* sum);
at::Tensor geglu(const at::Tensor& x);

}  // namespace w2w::cuda
