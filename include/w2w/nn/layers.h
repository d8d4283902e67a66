#pragma once
// The plain layers. Each is built from a Scope, checks its shapes there, and is called like a function.

#include <ATen/core/Tensor.h>

#include "w2w/nn/weights.h"

namespace w2w::nn {

using at::Tensor;

/// [..., in] -> [..., out]
struct Linear {
  Linear(const Scope& scope, int64_t in, int64_t out, bool with_bias = true);
  Tensor operator()(const Tensor& x) const;
  Tensor weight, bias;
};

/// [B, in, H, W] -> [B, out, H', W'], square kernel.
struct Conv2d {
  Conv2d(const Scope& scope, int64_t in, int64_t out, int64_t kernel, int64_t stride = 1,
         int64_t padding = 0);
  Tensor operator()(const Tensor& x) const;
  Tensor weight, bias;
  int64_t stride, padding;
};

struct GroupNorm {
  GroupNorm(const Scope& scope, int64_t groups, int64_t channels, double eps);
  Tensor operator()(const Tensor& x) const;
  Tensor weight, bias;
  int64_t groups;
  double eps;
};

struct LayerNorm {
  LayerNorm(const Scope& scope, int64_t width, double eps = 1e-5);
  Tensor operator()(const Tensor& x) const;
  Tensor weight, bias;
  double eps;
};

}  // namespace w2w::nn
