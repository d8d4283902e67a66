#pragma once
#include <ATen/core/Tensor.h>

namespace w2w::cuda {

/// x W^T + bias + addend for x [..., in], weight [out, in] with contiguous rows, bias [out] and addend
/// [..., out], both possibly undefined: one product, whose results are rounded once. Not differentiable.
///
/// cuBLAS guesses which of its kernels is the fastest for a shape, and is up to 1.6 times off at those of
/// Stable Diffusion. So at the first call of a shape the candidates are timed, unless a graph is being
/// recorded. Only those take part that give the guess's bits for that call's values. Another order of sums
/// may pass this where results are few, and round other values differently: roundings may depend on the
/// timing.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  const at::Tensor& addend);

}  // namespace w2w::cuda
