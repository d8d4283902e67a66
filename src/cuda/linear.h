#pragma once
#include <ATen/core/Tensor.h>

namespace w2w::cuda {

/// x W^T + bias + addend for x [..., in], weight [out, in] with contiguous rows, bias [out] and addend
/// [..., out], both possibly undefined, all of one dtype (f32, f16, bf16; sums f32): one product, whose
/// results are rounded once. Not differentiable. c10::Error where operands do not fit.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  const at::Tensor& addend);

}  // namespace w2w::cuda
