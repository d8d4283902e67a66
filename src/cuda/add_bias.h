#pragma once
// What follows a convolution: its bias, perhaps with something to add, in one pass.

#include <cuda_runtime_api.h>

#include <cstdint>

#include "element.h"

namespace w2w::cuda {

/// y[p, c] = x[p, c] + bias[c] + addend[p / shared, c], in f32, for x, y: [pixels, channels] in channels_last
/// order: `shared` is 1 for a residual, or the pixels of a sample for values of each channel. Without addend
/// (null), of x and bias alone. Contiguous, of one element type; y may be x.
cudaError_t add_bias(int64_t pixels, int64_t channels, int64_t shared, const void* x, const void* bias,
                     const void* addend, void* y, Element element, cudaStream_t stream);

}  // namespace w2w::cuda
