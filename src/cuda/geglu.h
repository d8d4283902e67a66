#pragma once
// GEGLU: the first half of each row times the GELU of its second half.

#include <cuda_runtime_api.h>

#include <cstdint>

#include "element.h"

namespace w2w::cuda {

// All arrays are contiguous, on the current device and of the same element type; f32 inside. Outputs must not
// overlap inputs. A width that 16-byte vectors do not divide, or an address off 16 bytes, takes one element
// at a time: in such rows hardly any vector is aligned. At most 2^31 - 1 vectors (or elements, if one at a
// time).

/// y[r, j] = x[r, j] gelu(x[r, width + j]), gelu(u) = u Phi(u). x: [rows, 2 width], y: [rows, width].
cudaError_t geglu(int64_t rows, int64_t width, const void* x, void* y, Element element, cudaStream_t stream);

/// `dx`: the gradient of x, from that of y.
cudaError_t geglu_backward(int64_t rows, int64_t width, const void* x, const void* dy, void* dx,
                           Element element, cudaStream_t stream);

}  // namespace w2w::cuda
