#include "geglu.h"
#include "launch.cuh"

namespace w2w::cuda {
namespace {

constexpr int kThreads = 256;

/// Phi(u), the normal distribution function.
__device__ float normal_cdf(float u) { return 0.5f * (1 + erff(u * 0.70710678f)); }

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    forward(unsigned vectors, unsigned columns, const T* __restrict__ x, T* __restrict__ y) {
  const unsigned i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= vectors) return;
  const size_t width = size_t{columns} * N, at = size_t{i} * N, in = at + i / columns * width;
  const auto raw_value = load<T, N>(x + in), raw_gate = load<T, N>(x + in + width);
  float value[N], gate[N];
  unpack<T>(raw_value, value);
  unpack<T>(raw_gate, gate);
#pragma unroll
  for (int k = 0; k < N; ++k) value[k] *= gate[k] * normal_cdf(gate[k]);
  store(y + at, value);
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    backward(unsigned vectors, unsigned columns, const T* __restrict__ x, const T* __restrict__ dy,
             T* __restrict__ dx) {
  const unsigned i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= vectors) return;
  const size_t width = size_t{columns} * N, at = size_t{i} * N, in = at + i / columns * width;
  const auto raw_value = load<T, N>(x + in), raw_gate = load<T, N>(x + in + width),
             raw_dy = load<T, N>(dy + at);
  float value[N], gate[N], d[N];
  unpack<T>(raw_value, value);
  unpack<T>(raw_gate, gate);
  unpack<T>(raw_dy, d);
#pragma unroll
  for (int k = 0; k < N; ++k) {
    const float u = gate[k], cdf = normal_cdf(u), density = 0.39894228f * __expf(-0.5f * u * u);
    gate[k] = d[k] * value[k] * (cdf + u * density);
    value[k] = d[k] * u * cdf;
  }
  store(dx + in, value);
  store(dx + in + width, gate);
}

}  // namespace

cudaError_t geglu(int64_t rows, int64_t width, const void* x, void* y, Element element, cudaStream_t stream) {
  return with_type(element, [&]<class T>(T) {
    return over_vectors<T>(rows, width, aligned(x, y), forward<T, kWide<T>>, forward<T, 1>, kThreads, stream,
                           static_cast<const T*>(x), static_cast<T*>(y));
  });
}

cudaError_t geglu_backward(int64_t rows, int64_t width, const void* x, const void* dy, void* dx,
                           Element element, cudaStream_t stream) {
  return with_type(element, [&]<class T>(T) {
    return over_vectors<T>(rows, width, aligned(x, dy, dx), backward<T, kWide<T>>, backward<T, 1>, kThreads,
                           stream, static_cast<const T*>(x), static_cast<const T*>(dy), static_cast<T*>(dx));
  });
}

}  // namespace w2w::cuda
