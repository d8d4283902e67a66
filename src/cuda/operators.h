#pragma once
// The kernels as differentiable operators of tensors.

#include "w2w/base/accelerator.h"

namespace w2w::cuda {

/// As the functions of these names of Accelerator (base/accelerator.h).
at::Tensor group_norm(const at::Tensor& x, const Shift& shift, int64_t groups, const at::Tensor& weight,
                      const at::Tensor& bias, double eps, bool silu);
at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       const at::Tensor& addend, int64_t stride, int64_t padding);
at::Tensor linear_plus(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       const at::Tensor& addend);
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps);
at::Tensor geglu(const at::Tensor& x);
at::Tensor upsample(const at::Tensor& x, at::IntArrayRef size);

}  // namespace w2w::cuda
