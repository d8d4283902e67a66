#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace w2w::nn {

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;  ///< added to the gradient (L2), as torch.optim.Adam does, unless decoupled
  bool decoupled = false;   ///< the decay shrinks the parameter itself: AdamW (Loshchilov & Hutter 2019)
};

/// Adam (Kingma & Ba 2015, algorithm 1) for one f32 tensor, with the order of operations of torch.optim.Adam
/// and AdamW.
struct Adam {
  at::Tensor first_moment, second_moment;  ///< f32, the parameter's shape; undefined before the first step
  int64_t steps = 0;

  /// `parameter` is changed in place.
  void step(at::Tensor& parameter, const at::Tensor& gradient, const AdamOptions& options);
};

}  // namespace w2w::nn
