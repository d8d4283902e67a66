#pragma once
// GroupNorm of channels-last data, optionally with the SiLU that follows it: x [batch, pixels, channels].

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "element.h"

namespace w2w::cuda {

struct GroupNormShape {
  int64_t batch, pixels, channels, groups;
  float eps;
};

/// Added to x as it is read; null: nothing.
struct GroupNormShift {
  const void* of_channels = nullptr;  ///< [channels]
  const void* of_samples = nullptr;   ///< [batch, channels], or [channels] if `shared`
  bool shared = false;
};

// All arrays are contiguous, on the current device and, unless float*, of the same element type; f32 inside.
// Outputs must not overlap inputs. The same inputs give the same bits each time. No allocation, no
// synchronisation: a CUDA graph can hold both. cudaErrorInvalidValue: groups that do not divide the channels,
// a sample of 2^32 elements or more, a batch over 65535, or groups of thousands of channels.

/// Floats of the workspace of either function, for any element type. Its contents need no preparation and are
/// of no use afterwards.
size_t group_norm_workspace(const GroupNormShape& shape);

/// y = act((x + shift - mean) rstd weight + bias), act: SiLU or nothing. `mean`, `rstd`: [batch, groups],
/// written for group_norm_backward.
cudaError_t group_norm(const GroupNormShape& shape, const void* x, const GroupNormShift& shift,
                       const void* weight, const void* bias, void* y, float* mean, float* rstd,
                       float* workspace, bool silu, Element element, cudaStream_t stream);

/// `dx`: the gradient of x, from that of y; shift, weight and bias count as constants.
cudaError_t group_norm_backward(const GroupNormShape& shape, const void* dy, const void* x,
                                const GroupNormShift& shift, const void* weight, const void* bias,
                                const float* mean, const float* rstd, void* dx, float* workspace, bool silu,
                                Element element, cudaStream_t stream);

}  // namespace w2w::cuda
