#pragma once
// What follows a convolution: its bias, perhaps with something to add, in one pass.

#include <cuda_runtime_api.h>

#include <cstdint>

#include "element.h"

namespace w2w::cuda {

/// y = x + bias + addend, in f32, for x, y, addend: [pixels, channels] and bias: [channels]. Without addend
/// (null), of x and bias alone. Contiguous, of one element type; y may be x.
cudaError_t add_bias(int64_t pixels, int64_t channels, const void* x, const void* bias, const void* addend,
                     void* y, Element element, cudaStream_t stream);

}  // namespace w2w::cuda
