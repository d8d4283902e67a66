#pragma once
// LayerNorm of the rows of [rows, width], optionally with the addition before it.

#include <cuda_runtime_api.h>

#include <cstdint>

#include "element.h"

namespace w2w::cuda {

// All arrays are contiguous, on the current device and, unless float*, of the same element type; f32 inside.
// cudaErrorInvalidValue for what layer_norm_takes refuses.

/// Whether the kernels take rows of this width, at addresses of 16 bytes: up to 5,120 bytes, in vectors
/// of 16.
bool layer_norm_takes(int64_t width, Element element);

/// sum = x + addend, y = (sum - mean) rstd weight + bias. Without `addend` (null), x stands for the sum, and
/// `sum` is not written. `mean`, `rstd`: [rows], written for layer_norm_backward.
cudaError_t layer_norm(int64_t rows, int64_t width, float eps, const void* x, const void* addend,
                       const void* weight, const void* bias, void* sum, void* y, float* mean, float* rstd,
                       Element element, cudaStream_t stream);

/// `dx`: the gradient of x, which is that of the addend too, from that of y and, unless null, that of the sum
/// by its other ways. `x`: the sum. Weight and bias count as constants.
cudaError_t layer_norm_backward(int64_t rows, int64_t width, const void* dy, const void* dsum, const void* x,
                                const void* weight, const float* mean, const float* rstd, void* dx,
                                Element element, cudaStream_t stream);

}  // namespace w2w::cuda
