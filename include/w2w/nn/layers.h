#pragma once
// The plain layers. Each is built from a Scope, checks its shapes there, and is called like a function.

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "w2w/nn/weights.h"

namespace w2w::nn {

using at::Tensor;

/// A low-rank branch beside a linear layer, for learning: x W^T + scale * (x A^T) B^T. Empty: no branch.
/// Inference bakes A and B into W instead (lora/adapter.h).
struct LowRankBranch {
  Tensor
      down;   ///< A, [rank, in], or [people, rank, in]: then each takes an equal part of the batch, in order
  Tensor up;  ///< B, [out, rank], or [people, out, rank]
  double scale = 1.0;

  /// (x A^T) B^T for x [B, ..., in]
  Tensor operator()(const Tensor& x) const;
};

/// [..., in] -> [..., out]
struct Linear {
  Linear(const Scope& scope, int64_t in, int64_t out, bool with_bias = true);
  /// Of a weight that is stored in another shape.
  Linear(const Scope& scope, Tensor weight_, Tensor bias_)
      : weight(std::move(weight_)), bias(std::move(bias_)), branch(scope.branch()) {}
  Tensor operator()(const Tensor& x) const;
  /// addend [..., out] + the layer's result.
  Tensor plus(const Tensor& addend, const Tensor& x) const;
  Tensor weight, bias;
  std::shared_ptr<LowRankBranch> branch;  ///< shared with Weights::branches
};

/// `weights` [out_i, in], or biases [out_i], one after the other. They become parts of the result: what
/// changes them in place changes it.
Tensor join_rows(const std::vector<Tensor>& weights);

/// [B, in, H, W] -> [B, out, H', W'], square kernel.
struct Conv2d {
  Conv2d(const Scope& scope, int64_t in, int64_t out, int64_t kernel, int64_t stride = 1,
         int64_t padding = 0);
  Tensor operator()(const Tensor& x) const;
  /// addend, of the result's shape, + the convolution.
  Tensor plus(const Tensor& addend, const Tensor& x) const;
  Tensor weight, bias;
  int64_t stride, padding;
};

struct GroupNorm {
  GroupNorm(const Scope& scope, int64_t groups, int64_t channels, double eps);
  Tensor operator()(const Tensor& x) const;
  /// silu of it, in one pass where the device can.
  Tensor silu(const Tensor& x) const;
  /// silu of the norm of conv(x) + shift; `shift` [B or 1, channels] or undefined. On a device the
  /// convolution's bias and the shift are added as the norm reads.
  Tensor silu_after(const Conv2d& conv, const Tensor& shift, const Tensor& x) const;
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
