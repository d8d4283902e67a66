#pragma once
// CUDA's side of a kernel for a C++ compiler: included before a .cu file, it makes functions of its kernels,
// which device.cpp runs on the CPU, thread by thread.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>

#include <bit>
#include <cmath>
#include <functional>
#include <tuple>

#define __launch_bounds__(...)
#undef __shared__
#define __shared__ static  // one block runs at a time

inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;

namespace w2w::on_host {

/// A grid: `thread` is called as each thread of it.
struct Launch {
  const void* kernel;
  dim3 grid, block;
  std::function<void()> thread;
};

/// Runs all blocks, one after the other. A thread runs until it waits for others, in ascending order in one
/// launch of a kernel and in descending order in its next: what is not ordered by a barrier comes out
/// differently. Throws std::logic_error where a device would hang or the result would be undefined.
void run(const Launch& launch);

/// While it lives, launches are run and given to `seen` as well.
class Watch {
 public:
  explicit Watch(std::function<void(const Launch&)> seen);
  ~Watch();
};

/// Gives `own` to the other lanes of the warp, waits for theirs and returns that of lane `from`.
unsigned exchange(unsigned mask, unsigned own, unsigned from);
unsigned lane();

}  // namespace w2w::on_host

void __syncthreads();

template <class T>
T __shfl_xor_sync(unsigned mask, T own, unsigned distance) {
  using namespace w2w::on_host;
  return std::bit_cast<T>(exchange(mask, std::bit_cast<unsigned>(own), (lane() ^ distance) % 32));
}
template <class T>
T __shfl_down_sync(unsigned mask, T own, unsigned distance) {
  using namespace w2w::on_host;
  const unsigned from = lane() + distance;
  return std::bit_cast<T>(exchange(mask, std::bit_cast<unsigned>(own), from < 32 ? from : lane()));
}

template <class T>
T __ldg(const T* from) {
  return *from;
}
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
#define __expf std::exp  // the C library may have an __expf of its own
template <class T>
T min(T a, T b) {
  return b < a ? b : a;
}

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments... arguments) {
  const std::tuple<Parameters...> given(arguments...);
  w2w::on_host::run({reinterpret_cast<const void*>(kernel), config->gridDim, config->blockDim,
                     [=] { std::apply(kernel, given); }});
  return cudaSuccess;
}
