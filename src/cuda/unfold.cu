#include "launch.cuh"
#include "unfold.h"

namespace w2w::cuda {
namespace {

constexpr int kThreads = 256;

struct Sizes {
  int height, width, to_height, to_width, stride, padding;
};

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    forward(unsigned vectors, unsigned columns, Sizes s, const T* __restrict__ x, T* __restrict__ y) {
  const unsigned i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= vectors) return;
  const unsigned row = i / columns, column = i - row * columns;
  const int pixel = row / 9, position = row - pixel * 9;
  const int line = pixel / s.to_width, sample = line / s.to_height;
  const int from_line = (line - sample * s.to_height) * s.stride + position / 3 - s.padding;
  const int from_column = (pixel - line * s.to_width) * s.stride + position % 3 - s.padding;
  const bool inside = from_line >= 0 && from_line < s.height && from_column >= 0 && from_column < s.width;
  const size_t from = (sample * size_t(s.height) + from_line) * s.width + from_column;
  reinterpret_cast<Raw<T, N>*>(y)[i] = inside ? load<T, N>(x + (from * columns + column) * N) : Raw<T, N>{};
}

}  // namespace

cudaError_t unfold(int64_t batch, int64_t height, int64_t width, int64_t channels, int64_t to_height,
                   int64_t to_width, int64_t stride, int64_t padding, const void* x, void* y, Element element,
                   cudaStream_t stream) {
  const Sizes sizes{int(height), int(width), int(to_height), int(to_width), int(stride), int(padding)};
  return with_type(element, [&]<class T>(T) {
    return over_vectors<T>(batch * to_height * to_width * 9, channels, aligned(x, y), forward<T, kWide<T>>,
                           forward<T, 1>, kThreads, stream, sizes, static_cast<const T*>(x),
                           static_cast<T*>(y));
  });
}

}  // namespace w2w::cuda
