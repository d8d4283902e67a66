#include "launch.cuh"
#include "upsample.h"

namespace w2w::cuda {
namespace {

constexpr int kThreads = 256;

struct Sizes {
  unsigned height, width, to_height, to_width;
};

__device__ unsigned source(unsigned to, unsigned from_size, unsigned to_size) {
  return min(unsigned(float(to) * (float(from_size) / float(to_size))), from_size - 1);
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    forward(unsigned vectors, unsigned columns, Sizes s, const T* __restrict__ x, T* __restrict__ y) {
  const unsigned i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= vectors) return;
  const unsigned pixel = i / columns, column = i - pixel * columns;
  const unsigned line = pixel / s.to_width, sample = line / s.to_height;
  const size_t row = sample * size_t{s.height} + source(line - sample * s.to_height, s.height, s.to_height);
  const size_t from = row * s.width + source(pixel - line * s.to_width, s.width, s.to_width);
  reinterpret_cast<Raw<T, N>*>(y)[i] = load<T, N>(x + (from * columns + column) * N);
}

}  // namespace

cudaError_t upsample(int64_t batch, int64_t height, int64_t width, int64_t channels, int64_t to_height,
                     int64_t to_width, const void* x, void* y, Element element, cudaStream_t stream) {
  const Sizes sizes{unsigned(height), unsigned(width), unsigned(to_height), unsigned(to_width)};
  return with_type(element, [&]<class T>(T) {
    return over_vectors<T>(batch * to_height * to_width, channels, aligned(x, y), forward<T, kWide<T>>,
                           forward<T, 1>, kThreads, stream, sizes, static_cast<const T*>(x),
                           static_cast<T*>(y));
  });
}

}  // namespace w2w::cuda
