#pragma once
// Host side of the kernels: the choice of an instantiation, and the launch.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "element.h"

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

/// Launches in clusters of `cluster` blocks along x. Unlike <<<>>> it returns the launch's own error.
template <class... Parameters>
cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, int threads, int cluster, cudaStream_t stream,
                   std::type_identity_t<Parameters>... arguments) {
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = cluster;
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(threads);
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = cluster > 1;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

}  // namespace w2w::cuda
