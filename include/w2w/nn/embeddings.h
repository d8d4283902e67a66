#pragma once
#include "w2w/nn/layers.h"

namespace w2w::nn {

/// Sinusoidal embedding of timesteps [B] -> [B, width] f32 (Ho et al. 2020, after Vaswani et al. 2017):
/// frequencies 10000^(-i / (width/2 - freq_shift)); cosines first if `flip_sin_to_cos`.
Tensor timestep_embedding(const Tensor& timesteps, int64_t width, bool flip_sin_to_cos, double freq_shift);

/// Linear, SiLU, Linear: [B, in] -> [B, width]
struct TimeEmbedding {
  TimeEmbedding(const Scope& scope, int64_t in, int64_t width);
  Tensor operator()(const Tensor& x) const;
  Linear linear_1, linear_2;
};

}  // namespace w2w::nn
