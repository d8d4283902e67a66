#include "layer_norm.h"

#include "launch.cuh"

namespace w2w::cuda {
namespace {

// A row belongs to a power of two of neighbouring lanes, the fewest that hold it in kDepth vectors each (of
// kDeep, for the longest rows): it is read once and stays in registers.
constexpr int kThreads = 128;
constexpr int kDepth = 5;
constexpr int kDeep = 10;

struct Row {
  int64_t row;
  int lane, lanes, vectors;
  bool there;

  __device__ Row(int64_t rows, int of_lanes, int of_vectors) : lanes(of_lanes), vectors(of_vectors) {
    const int64_t thread = int64_t{blockIdx.x} * kThreads + threadIdx.x;
    row = thread / lanes, lane = int(thread % lanes);
    there = row < rows;
  }
  /// Calls f(k, vector) for the lane's vectors.
  template <int D>
  __device__ void each(auto&& f) const {
#pragma unroll
    for (int k = 0; k < D; ++k) {
      if (const int v = lane + k * lanes; there && v < vectors) f(k, v);
    }
  }
  /// Over the row's lanes; all of a warp must call it.
  __device__ float sum(float own) const {
    for (int distance = lanes / 2; distance > 0; distance /= 2) own += __shfl_xor_sync(~0u, own, distance);
    return own;
  }
};

template <class T, int D>
__global__ void __launch_bounds__(kThreads)
    forward(int64_t rows, int lanes, int vectors, float eps, const T* __restrict__ x,
            const T* __restrict__ weight, const T* __restrict__ bias, T* __restrict__ y,
            float* __restrict__ mean, float* __restrict__ rstd) {
  constexpr int N = kWide<T>;
  const Row at(rows, lanes, vectors);
  const int64_t begin = at.row * vectors * N;
  const float width = float(vectors * N);
  float values[D][N] = {};
  float total = 0;
  at.template each<D>([&](int k, int v) {
    unpack<T>(load<T, N>(x + begin + v * N), values[k]);
    for (int i = 0; i < N; ++i) total += values[k][i];
  });
  const float centre = at.sum(total) / width;
  float squares = 0;
  at.template each<D>([&](int k, int) {
    for (int i = 0; i < N; ++i) squares += (values[k][i] - centre) * (values[k][i] - centre);
  });
  const float scale = rsqrtf(at.sum(squares) / width + eps);
  at.template each<D>([&](int k, int v) {
    float w[N], b[N];
    unpack<T>(load<T, N>(weight + v * N), w);
    unpack<T>(load<T, N>(bias + v * N), b);
    for (int i = 0; i < N; ++i) values[k][i] = (values[k][i] - centre) * scale * w[i] + b[i];
    store(y + begin + v * N, values[k]);
  });
  if (at.there && at.lane == 0) mean[at.row] = centre, rstd[at.row] = scale;
}

/// With g = dy weight and d = (x - mean) rstd: dx = rstd (g - mean(g) - d mean(g d)).
template <class T, int D>
__global__ void __launch_bounds__(kThreads)
    backward(int64_t rows, int lanes, int vectors, const T* __restrict__ dy, const T* __restrict__ x,
             const T* __restrict__ weight, const float* __restrict__ mean, const float* __restrict__ rstd,
             T* __restrict__ dx) {
  constexpr int N = kWide<T>;
  const Row at(rows, lanes, vectors);
  const int64_t begin = at.row * vectors * N;
  const float width = float(vectors * N), centre = at.there ? mean[at.row] : 0,
              scale = at.there ? rstd[at.row] : 0;
  float g[D][N] = {}, d[D][N] = {};
  float sum_g = 0, sum_gd = 0;
  at.template each<D>([&](int k, int v) {
    float w[N];
    unpack<T>(load<T, N>(dy + begin + v * N), g[k]);
    unpack<T>(load<T, N>(x + begin + v * N), d[k]);
    unpack<T>(load<T, N>(weight + v * N), w);
    for (int i = 0; i < N; ++i) {
      g[k][i] *= w[i];
      d[k][i] = (d[k][i] - centre) * scale;
      sum_g += g[k][i];
      sum_gd += g[k][i] * d[k][i];
    }
  });
  const float mean_g = at.sum(sum_g) / width, mean_gd = at.sum(sum_gd) / width;
  at.template each<D>([&](int k, int v) {
    for (int i = 0; i < N; ++i) g[k][i] = scale * (g[k][i] - mean_g - d[k][i] * mean_gd);
    store(dx + begin + v * N, g[k]);
  });
}

/// Launches `shallow` or `deep` with the lanes and vectors of a row.
template <class T>
cudaError_t over_rows(int64_t rows, int64_t width, bool all_aligned, auto shallow, auto deep,
                      cudaStream_t stream, auto... arguments) {
  const int64_t vectors = width / kWide<T>;
  if (rows < 0 || width < 1 || width % kWide<T> != 0 || vectors > 32 * kDeep || !all_aligned) {
    return cudaErrorInvalidValue;
  }
  if (rows == 0) return cudaSuccess;
  int lanes = 1;
  while (lanes < 32 && vectors > lanes * kDepth) lanes *= 2;
  return launch(vectors > lanes * kDepth ? deep : shallow, dim3((rows * lanes + kThreads - 1) / kThreads),
                kThreads, stream, rows, lanes, int(vectors), arguments...);
}

}  // namespace

bool layer_norm_takes(int64_t width, Element element) {
  return with_type(element,
                   [&]<class T>(T) { return width % kWide<T> == 0 && width / kWide<T> <= 32 * kDeep; });
}

cudaError_t layer_norm(int64_t rows, int64_t width, float eps, const void* x, const void* weight,
                       const void* bias, void* y, float* mean, float* rstd, Element element,
                       cudaStream_t stream) {
  return with_type(element, [&]<class T>(T) {
    return over_rows<T>(rows, width, aligned(x, weight, bias, y), forward<T, kDepth>, forward<T, kDeep>,
                        stream, eps, static_cast<const T*>(x), static_cast<const T*>(weight),
                        static_cast<const T*>(bias), static_cast<T*>(y), mean, rstd);
  });
}

cudaError_t layer_norm_backward(int64_t rows, int64_t width, const void* dy, const void* x,
                                const void* weight, const float* mean, const float* rstd, void* dx,
                                Element element, cudaStream_t stream) {
  return with_type(element, [&]<class T>(T) {
    return over_rows<T>(rows, width, aligned(dy, x, weight, dx), backward<T, kDepth>, backward<T, kDeep>,
                        stream, static_cast<const T*>(dy), static_cast<const T*>(x),
                        static_cast<const T*>(weight), mean, rstd, static_cast<T*>(dx));
  });
}

}  // namespace w2w::cuda
