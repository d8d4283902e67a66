#pragma once
// Host side of the kernels: the choice of an instantiation, and the launch.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "element.h"
#include "vector.cuh"

namespace w2w::cuda {

/// Whether all pointers may be read 16 bytes at a time.
bool aligned(std::convertible_to<const void*> auto... pointers) {
  return ((reinterpret_cast<std::uintptr_t>(static_cast<const void*>(pointers)) | ...) & 15) == 0;
}

/// Calls `body` with a value of the C++ type of `element`.
auto with_type(Element element, auto&& body) {
  switch (element) {
    case Element::f16:
      return body(__half());
    case Element::bf16:
      return body(__nv_bfloat16());
    case Element::f32:
      break;
  }
  return body(float());
}

/// Unlike <<<>>> it returns the launch's own error.
template <class... Parameters>
cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, int threads, cudaStream_t stream,
                   std::type_identity_t<Parameters>... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(threads);
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

/// Launches `wide`, a kernel of one thread for each 16 bytes of [rows, width] that gets their number and the
/// columns of a row first, or `narrow`, of one thread for each element, where such vectors do not fit.
template <class T>
cudaError_t over_vectors(int64_t rows, int64_t width, bool all_aligned, auto wide, auto narrow, int threads,
                         cudaStream_t stream, auto... arguments) {
  if (rows < 0 || width < 1) return cudaErrorInvalidValue;
  const bool is_wide = all_aligned && width % kWide<T> == 0;
  const int64_t columns = width / (is_wide ? kWide<T> : 1);
  if (rows > std::numeric_limits<int>::max() / columns) return cudaErrorInvalidValue;
  const int64_t vectors = rows * columns;
  if (vectors == 0) return cudaSuccess;
  return launch(is_wide ? wide : narrow, dim3((vectors + threads - 1) / threads), threads, stream,
                unsigned(vectors), unsigned(columns), arguments...);
}

}  // namespace w2w::cuda
