#include "group_norm.h"

#include <climits>

#include "group_norm_steps.cuh"
#include "launch.cuh"

namespace w2w::cuda {
namespace {

/// Merges over the lanes of a warp; lane 0 has the result.
template <class Partial>
__device__ Partial over_warp(Partial own) {
  constexpr int kFloats = sizeof(Partial) / sizeof(float);
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    Partial other;
#pragma unroll
    for (int i = 0; i < kFloats; ++i) {
      reinterpret_cast<float*>(&other)[i] =
          __shfl_down_sync(~0u, reinterpret_cast<const float*>(&own)[i], distance);
    }
    own.merge(other);
  }
  return own;
}

/// total[g]: merges what gather(g, lane) gives over the lanes of a warp, one warp a group.
template <class Partial>
__device__ void by_group(int groups, Partial* total, auto&& gather) {
  const int lane = threadIdx.x % 32;
  for (int g = threadIdx.x / 32; g < groups; g += blockDim.x / 32) {
    const Partial sum = over_warp<Partial>(gather(g, lane));
    if (lane == 0) total[g] = sum;
  }
  __syncthreads();
}

/// total[g]: of the block.
template <int N, class Partial>
__device__ void over_block(const Tiling& t, const Partial& first, const Partial& second, Partial* total) {
  __shared__ Partial parts[2][kThreads];
  parts[0][threadIdx.x] = first, parts[1][threadIdx.x] = second;
  __syncthreads();
  by_group(t.groups, total, [&](int g, int lane) {
    Partial sum;
    for (int row = lane; row < t.rows; row += 32) {
      for (int c = g * t.group_channels / N; c <= ((g + 1) * t.group_channels - 1) / N; ++c) {
        sum.merge(parts[c * N / t.group_channels == g ? 0 : 1][row * t.columns + c]);
      }
    }
    return sum;
  });
}

template <template <class, int, int> class Step, class T, int N>
__global__ void __launch_bounds__(kThreads, 1) whole(const __grid_constant__ Arguments a) {
  using Partial = typename Step<T, N, kDepth>::Partial;
  __shared__ Partial total[kTileGroups];
  const Place<N> at(a.tiling);
  Step<T, N, kDepth> step(a, at);
  Partial first, second;
  step.load(at.begin);
  step.add(at.begin, first, second);
  over_block<N>(a.tiling, first, second, total);
  step.finish(total);
  step.store(at.begin);
}

template <template <class, int, int> class Step, class T, int N, int D>
__global__ void __launch_bounds__(kThreads, (Step<T, N, D>::resident()))
    reduce(const __grid_constant__ Arguments a) {
  using Partial = typename Step<T, N, D>::Partial;
  __shared__ Partial total[kTileGroups];
  const Place<N> at(a.tiling);
  Step<T, N, D> step(a, at);
  Partial first, second;
  for (int pixel = at.begin; pixel < at.end; pixel += D * at.rows) {
    step.load(pixel);
    step.add(pixel, first, second);
  }
  over_block<N>(a.tiling, first, second, total);
  const auto partials = reinterpret_cast<Partial*>(a.workspace);
  for (int g = threadIdx.x; g < a.tiling.groups; g += blockDim.x) {
    partials[(at.tile_group + g) * gridDim.x + blockIdx.x] = total[g];
  }
}

template <template <class, int, int> class Step, class T, int N, int D>
__global__ void __launch_bounds__(kThreads, (Step<T, N, D>::resident()))
    apply(const __grid_constant__ Arguments a) {
  using Partial = typename Step<T, N, D>::Partial;
  __shared__ Partial total[kTileGroups];
  const Place<N> at(a.tiling);
  Step<T, N, D> step(a, at);
  const auto partials = reinterpret_cast<const Partial*>(a.workspace);
  by_group(a.tiling.groups, total, [&](int g, int lane) {
    Partial sum;
    for (unsigned c = lane; c < gridDim.x; c += 32) sum.merge(partials[(at.tile_group + g) * gridDim.x + c]);
    return sum;
  });
  step.finish(total);
  // Backwards: what `reduce` read last is still in the L2 cache.
  const int stride = D * at.rows;
  for (int pixel = at.begin + (at.end - 1 - at.begin) / stride * stride; pixel >= at.begin; pixel -= stride) {
    step.load(pixel);
    step.store(pixel);
  }
}

/// `D`: the depth of a strip in two launches.
template <template <class, int, int> class Step, int D, class T, int N>
cudaError_t run(const GroupNormShape& shape, Arguments a, cudaStream_t stream) {
  const auto p = plan(shape, N, N * sizeof(T));
  if (p.tiling.columns > kThreads || p.tiles > 65535) return cudaErrorInvalidValue;
  a.tiling = p.tiling;
  const dim3 grid(p.chunks, p.tiles, unsigned(shape.batch));
  const int threads = (p.tiling.columns * p.tiling.rows + 31) / 32 * 32;
  if (p.chunks == 1) return launch(whole<Step, T, N>, grid, threads, stream, a);
  const auto status = launch(reduce<Step, T, N, D>, grid, threads, stream, a);
  return status == cudaSuccess ? launch(apply<Step, T, N, D>, grid, threads, stream, a) : status;
}

template <template <class, int, int> class Step, int D>
cudaError_t dispatch(const GroupNormShape& s, const Arguments& a, bool all_aligned, Element element,
                     cudaStream_t stream) {
  constexpr int64_t kMost = 1 << 30;
  if (s.batch < 0 || s.batch > 65535 || s.pixels < 0 || s.pixels > kMost || s.groups < 1 || s.channels < 1 ||
      s.channels > kMost || s.pixels > int64_t{UINT_MAX} / s.channels || s.channels % s.groups != 0) {
    return cudaErrorInvalidValue;
  }
  if (s.batch == 0 || s.pixels == 0) return cudaSuccess;
  return with_type(element, [&]<class T>(T) {
    constexpr int N = kWide<T>;
    return all_aligned && fits_groups(s, N) ? run<Step, D, T, N>(s, a, stream)
                                            : run<Step, D, T, 1>(s, a, stream);
  });
}

}  // namespace

size_t group_norm_workspace(const GroupNormShape& shape) {
  // Chunks times batch are at most kFullGrid, or two chunks a sample.
  return sizeof(Moments) / sizeof(float) * size_t(shape.groups) *
         std::max<size_t>(2 * shape.batch, kFullGrid);
}

cudaError_t group_norm(const GroupNormShape& shape, const void* x, const GroupNormShift& shift,
                       const void* weight, const void* bias, void* y, float* mean, float* rstd,
                       float* workspace, bool silu, Element element, cudaStream_t stream) {
  const Arguments a{{}, x, nullptr, shift, weight, bias, y, mean, rstd, workspace, shape.eps, silu};
  return dispatch<Forward, 4>(shape, a, aligned(x, shift.of_channels, shift.of_samples, weight, bias, y),
                              element, stream);
}

cudaError_t group_norm_backward(const GroupNormShape& shape, const void* dy, const void* x,
                                const GroupNormShift& shift, const void* weight, const void* bias,
                                const float* mean, const float* rstd, void* dx, float* workspace, bool silu,
                                Element element, cudaStream_t stream) {
  const Arguments a{
      {},        x,         dy,  shift, weight, bias, dx, const_cast<float*>(mean), const_cast<float*>(rstd),
      workspace, shape.eps, silu};
  return dispatch<Backward, 4>(
      shape, a, aligned(x, dy, shift.of_channels, shift.of_samples, weight, bias, dx), element, stream);
}

}  // namespace w2w::cuda
