#pragma once
// LayerNorm of the rows of [rows, width].

#include <cuda_runtime_api.h>

#include <cstdint>

#include "element.h"

namespace w2w::cuda {

// All arrays are contiguous, on the current device and, unless float*, of the same element type; f32 inside.
// cudaErrorInvalidValue for what layer_norm_takes refuses.

/// Whether the kernels take rows of this width, at addresses of 16 bytes: up to 5,120 bytes, in vectors
/// of 16.
bool layer_norm_takes(int64_t width, Element element);

/// y = (x - mean) rstd weight + bias. `mean`, `rstd`: [rows], written for layer_norm_backward.
cudaError_t layer_norm(int64_t rows, int64_t width, float eps, const void* x, const void* weight,
                       const void* bias, void* y, float* mean, float* rstd, Element element,
                       cudaStream_t stream);

/// `dx`: the gradient of x, from that of y. Weight and bias count as constants.
cudaError_t layer_norm_backward(int64_t rows, int64_t width, const void* dy, const void* x,
                                const void* weight, const float* mean, const float* rstd, void* dx,
                                Element element, cudaStream_t stream);

}  // namespace w2w::cuda
