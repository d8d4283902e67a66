#pragma once
// Nearest-neighbour upsampling of channels-last data.

#include <cuda_runtime_api.h>

#include <cstdint>

#include "element.h"

namespace w2w::cuda {

/// y[b, i, j] = x[b, floor(i * height / to_height), floor(j * width / to_width)], of [batch, height, width,
/// channels]: torch's `nearest`, whose quotient is one of floats. Contiguous, of one element type.
cudaError_t upsample(int64_t batch, int64_t height, int64_t width, int64_t channels, int64_t to_height,
                     int64_t to_width, const void* x, void* y, Element element, cudaStream_t stream);

}  // namespace w2w::cuda
