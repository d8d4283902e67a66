#pragma once
// The pixels under each position of a 3x3 kernel, for convolutions that are products of matrices.

#include <cuda_runtime_api.h>

#include <cstdint>

#include "element.h"

namespace w2w::cuda {

/// y[b, i, j, 3 r + s, c] = x[b, i * stride + r - padding, j * stride + s - padding, c], 0 outside of x, of x
/// [batch, height, width, channels] and y [batch, to_height, to_width, 9, channels]. Contiguous, of one
/// element type.
cudaError_t unfold(int64_t batch, int64_t height, int64_t width, int64_t channels, int64_t to_height,
                   int64_t to_width, int64_t stride, int64_t padding, const void* x, void* y, Element element,
                   cudaStream_t stream);

}  // namespace w2w::cuda
