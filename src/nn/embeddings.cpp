#include "w2w/nn/embeddings.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/silu.h>

#include <cmath>

namespace w2w::nn {

Tensor timestep_embedding(const Tensor& timesteps, int64_t width, bool flip_sin_to_cos, double freq_shift) {
  const int64_t half = width / 2;
  const auto index = at::arange(half, timesteps.options().dtype(at::kFloat));
  const auto frequencies = (index * -std::log(10000.0) / (static_cast<double>(half) - freq_shift)).exp();
  const auto angles = timesteps.to(at::kFloat).unsqueeze(1) * frequencies;
  return flip_sin_to_cos ? at::cat({angles.cos(), angles.sin()}, 1)
                         : at::cat({angles.sin(), angles.cos()}, 1);
}

TimeEmbedding::TimeEmbedding(const Scope& scope, int64_t in, int64_t width)
    : linear_1(scope / "linear_1", in, width), linear_2(scope / "linear_2", width, width) {}

Tensor TimeEmbedding::operator()(const Tensor& x) const { return linear_2(at::silu(linear_1(x))); }

}  // namespace w2w::nn
