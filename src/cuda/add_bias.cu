#include "add_bias.h"

#include "launch.cuh"

namespace w2w::cuda {
namespace {

constexpr int kThreads = 256;

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    forward(unsigned vectors, unsigned columns, const T* x, const T* __restrict__ bias,
            const T* __restrict__ addend, T* y) {
  const unsigned i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= vectors) return;
  const unsigned column = i % columns;
  const size_t at = size_t{i} * N;
  float sum[N], more[N] = {}, b[N];
  unpack<T>(*reinterpret_cast<const Raw<T, N>*>(x + at), sum);
  if (addend) unpack<T>(load<T, N>(addend + at), more);
  unpack<T>(load<T, N>(bias + column * N), b);
#pragma unroll
  for (int k = 0; k < N; ++k) sum[k] += b[k] + more[k];
  store(y + at, sum);
}

}  // namespace

cudaError_t add_bias(int64_t pixels, int64_t channels, const void* x, const void* bias, const void* addend,
                     void* y, Element element, cudaStream_t stream) {
  return with_type(element, [&]<class T>(T) {
    return over_vectors<T>(pixels, channels, aligned(x, bias, addend, y), forward<T, kWide<T>>, forward<T, 1>,
                           kThreads, stream, static_cast<const T*>(x), static_cast<const T*>(bias),
                           static_cast<const T*>(addend), static_cast<T*>(y));
  });
}

}  // namespace w2w::cuda
