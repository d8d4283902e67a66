#pragma once
// GroupNorm from the view of one thread: the channels and pixels it owns, what it adds to the sums of a group
// and what it stores once those are known.

#include "group_norm_tiling.h"
#include "vector.cuh"

namespace w2w::cuda {

struct Arguments {
  Tiling tiling;
  const void *x, *dy;
  GroupNormShift shift;
  const void *weight, *bias;
  void* out;           // y or dx
  float *mean, *rstd;  // written by Forward, read by Backward
  float* workspace;
  float eps;
  bool silu;
};

/// Of n values: their mean and their sum of squares about it, which unlike a sum of squares about 0 loses
/// nothing to a large mean.
struct Moments {
  float n = 0, mean = 0, m2 = 0;
  /// Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances".
  __device__ void merge(const Moments& other) {
    if (other.n == 0) return;
    const float both = n + other.n, part = other.n / both, delta = other.mean - mean;
    mean += delta * part;
    m2 += other.m2 + delta * delta * n * part;
    n = both;
  }
};

/// Sums of g and of g d (see Backward).
struct GradientSums {
  float g = 0, gd = 0;
  __device__ void merge(const GradientSums& other) { g += other.g, gd += other.gd; }
};

/// The part of a tile that one thread works on.
template <int N>
struct Place {
  int begin, end, rows;        // its pixels: begin, begin + rows, ... < end
  int group, next, split;      // its channels below `split` are of `group` of the tile, the others of `next`
  unsigned channel, channels;  // its first of so many
  int tile_group;              // in [batch, groups]: the first of the tile
  size_t sample;               // in x: where its sample begins

  __device__ explicit Place(const Tiling& t) : rows(t.rows), channels(gridDim.y * t.columns * N) {
    const int row = int(threadIdx.x) / t.columns, column = int(threadIdx.x) % t.columns;
    end = min(t.pixels, int(blockIdx.x + 1) * t.chunk);
    begin = row < rows ? int(blockIdx.x) * t.chunk + row : end;
    group = column * N / t.group_channels;
    split = min(N, (group + 1) * t.group_channels - column * N);
    next = split < N ? group + 1 : group;
    channel = (blockIdx.y * t.columns + column) * N;
    tile_group = int(blockIdx.z * gridDim.y + blockIdx.y) * t.groups;
    sample = size_t{blockIdx.z} * t.pixels * channels;
  }
  /// What belongs to channel i of a vector: a choice of registers, where an index would be a trip to memory.
  __device__ float of(int i, float in_group, float in_next) const { return i < split ? in_group : in_next; }
};

/// What a thread reads of one array: up to D vectors, one a row apart.
template <class T, int N, int D>
struct Strip {
  Raw<T, N> raw[D];
  __device__ void load(const void* from, const Place<N>& at, int pixel) {
    const T* sample = static_cast<const T*>(from) + at.sample;
    at_each(at, pixel, [&](int k, unsigned offset) { raw[k] = cuda::load<T, N>(sample + offset); });
  }
  /// Calls f(k, offset of vector k in the sample).
  __device__ static void at_each(const Place<N>& at, int pixel, auto&& f) {
#pragma unroll
    for (int k = 0; k < D; ++k) {
      const int p = pixel + k * at.rows;
      if (p < at.end) f(k, p * at.channels + at.channel);
    }
  }
};

/// Calls f(i) for each channel i of a vector.
template <int N>
__device__ void each(auto&& f) {
#pragma unroll
  for (int i = 0; i < N; ++i) f(i);
}

template <class T, int N>
__device__ void load_channels(float (&to)[N], const void* from, size_t channel) {
  unpack<T>(load<T, N>(static_cast<const T*>(from) + channel), to);
}

template <class T, int N>
__device__ void load_shift(float (&to)[N], const GroupNormShift& shift, const Place<N>& at) {
  float of_sample[N] = {};
  each<N>([&](int i) { to[i] = 0; });
  if (shift.of_channels) load_channels<T>(to, shift.of_channels, at.channel);
  if (shift.of_samples) {
    load_channels<T>(of_sample, shift.of_samples, (shift.shared ? 0 : blockIdx.z * at.channels) + at.channel);
  }
  each<N>([&](int i) { to[i] += of_sample[i]; });
}

__device__ inline float sigmoid(float z) { return __fdividef(1, 1 + __expf(-z)); }

/// The step of `whole`, `reduce` and `apply`: loads a strip, adds it to the sums, and, told the total of each
/// group of the tile, stores its result.
template <class T, int N, int D>
struct Forward {
  using Partial = Moments;
  static constexpr int resident() { return 2; }  // blocks that fit the registers of a multiprocessor
  const Arguments& a;
  const Place<N>& at;
  Strip<T, N, D> x;
  float shift[N], scale[N], bias[N], mean, next_mean;

  __device__ Forward(const Arguments& arguments, const Place<N>& place) : a(arguments), at(place) {
    load_shift<T>(shift, a.shift, at);
    load_channels<T>(scale, a.weight, at.channel);
    load_channels<T>(bias, a.bias, at.channel);
  }
  __device__ void load(int pixel) { x.load(a.x, at, pixel); }
  __device__ void shifted(int k, float (&v)[N]) const {
    unpack<T>(x.raw[k], v);
    each<N>([&](int i) { v[i] += shift[i]; });
  }

  /// In two passes over the registers: the means, then the squares about them.
  __device__ void add(int pixel, Moments& first, Moments& second) const {
    float sum[N] = {}, square[N] = {}, v[N];
    int count = 0;
    x.at_each(at, pixel, [&](int k, unsigned) {
      shifted(k, v);
      each<N>([&](int i) { sum[i] += v[i]; });
      ++count;
    });
    Moments in_group{float(count * at.split)}, in_next{float(count * (N - at.split))};
    each<N>([&](int i) { in_group.mean += at.of(i, sum[i], 0), in_next.mean += at.of(i, 0, sum[i]); });
    in_group.mean = __fdividef(in_group.mean, in_group.n);
    in_next.mean = __fdividef(in_next.mean, in_next.n);
    x.at_each(at, pixel, [&](int k, unsigned) {
      shifted(k, v);
      each<N>([&](int i) {
        const float d = v[i] - at.of(i, in_group.mean, in_next.mean);
        square[i] += d * d;
      });
    });
    each<N>([&](int i) { in_group.m2 += at.of(i, square[i], 0), in_next.m2 += at.of(i, 0, square[i]); });
    first.merge(in_group), second.merge(in_next);
  }

  __device__ void finish(const Moments* total) {
    const auto rstd_of = [&](const Moments& m) { return rsqrtf(m.m2 / m.n + a.eps); };
    mean = total[at.group].mean, next_mean = total[at.next].mean;
    const float rstd = rstd_of(total[at.group]), next_rstd = rstd_of(total[at.next]);
    each<N>([&](int i) { scale[i] *= at.of(i, rstd, next_rstd); });
    if (blockIdx.x != 0) return;
    for (int g = threadIdx.x; g < a.tiling.groups; g += blockDim.x) {
      a.mean[at.tile_group + g] = total[g].mean, a.rstd[at.tile_group + g] = rstd_of(total[g]);
    }
  }

  __device__ void store(int pixel) const {
    float v[N];
    x.at_each(at, pixel, [&](int k, unsigned offset) {
      shifted(k, v);
      each<N>([&](int i) { v[i] = (v[i] - at.of(i, mean, next_mean)) * scale[i] + bias[i]; });
      if (a.silu) each<N>([&](int i) { v[i] *= sigmoid(v[i]); });
      cuda::store(static_cast<T*>(a.out) + at.sample + offset, v);
    });
  }
};

/// With d = x + shift - mean and g = dy act'(d scale + bias) scale, where scale = rstd weight, all averages
/// over a group:
///   dx = g - average(g) - d rstd^2 average(g d)
template <class T, int N, int D>
struct Backward {
  using Partial = GradientSums;
  static constexpr int resident() { return 1; }
  const Arguments& a;
  const Place<N>& at;
  Strip<T, N, D> x, dy;
  float centre[N], scale[N], bias[N];  // centre: of d = x - centre
  float rstd, next_rstd;
  GradientSums average, next_average;

  __device__ Backward(const Arguments& arguments, const Place<N>& place) : a(arguments), at(place) {
    load_channels<T>(scale, a.weight, at.channel);
    load_channels<T>(bias, a.bias, at.channel);
    load_shift<T>(centre, a.shift, at);
    const float mean = a.mean[at.tile_group + at.group], next_mean = a.mean[at.tile_group + at.next];
    each<N>([&](int i) { centre[i] = at.of(i, mean, next_mean) - centre[i]; });
    rstd = a.rstd[at.tile_group + at.group], next_rstd = a.rstd[at.tile_group + at.next];
    each<N>([&](int i) { scale[i] *= at.of(i, rstd, next_rstd); });
  }
  __device__ void load(int pixel) { x.load(a.x, at, pixel), dy.load(a.dy, at, pixel); }

  __device__ void gradient(int k, float (&d)[N], float (&g)[N]) const {
    unpack<T>(x.raw[k], d);
    unpack<T>(dy.raw[k], g);
    each<N>([&](int i) { d[i] -= centre[i]; });
    if (a.silu) {
      each<N>([&](int i) {
        const float z = d[i] * scale[i] + bias[i], s = sigmoid(z);
        g[i] *= s * (1 + z * (1 - s));
      });
    }
    each<N>([&](int i) { g[i] *= scale[i]; });
  }

  __device__ void add(int pixel, GradientSums& first, GradientSums& second) const {
    float sum[N] = {}, product[N] = {};
    x.at_each(at, pixel, [&](int k, unsigned) {
      float d[N], g[N];
      gradient(k, d, g);
      each<N>([&](int i) { sum[i] += g[i], product[i] += g[i] * d[i]; });
    });
    each<N>([&](int i) {
      first.merge({at.of(i, sum[i], 0), at.of(i, product[i], 0)});
      second.merge({at.of(i, 0, sum[i]), at.of(i, 0, product[i])});
    });
  }

  __device__ void finish(const GradientSums* total) {
    const float share = 1 / (float(a.tiling.pixels) * a.tiling.group_channels);
    const auto averaged = [&](const GradientSums& sums, float r) {
      return GradientSums{sums.g * share, sums.gd * share * r * r};
    };
    average = averaged(total[at.group], rstd), next_average = averaged(total[at.next], next_rstd);
  }

  __device__ void store(int pixel) const {
    x.at_each(at, pixel, [&](int k, unsigned offset) {
      float d[N], g[N];
      gradient(k, d, g);
      each<N>([&](int i) {
        g[i] -= at.of(i, average.g, next_average.g) + d[i] * at.of(i, average.gd, next_average.gd);
      });
      cuda::store(static_cast<T*>(a.out) + at.sample + offset, g);
    });
  }
};

}  // namespace w2w::cuda
