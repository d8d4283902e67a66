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

/// What differs from step to step, for step number `step` >= 1, f32 [3]: what decoupled decay leaves of the
/// parameter, the length of the step, and the correction of the second moment's root.
at::Tensor adam_rates(int64_t step, const AdamOptions& options);

/// Adam (Kingma & Ba 2015, algorithm 1) for one f32 tensor, as torch.optim.Adam and AdamW compute it.
struct Adam {
  at::Tensor first_moment, second_moment;  ///< f32, the parameter's shape; undefined before the first step
  int64_t steps = 0;

  /// Changes `parameter` in place.
  void step(at::Tensor& parameter, const at::Tensor& gradient, const AdamOptions& options);
  /// The same by tensors alone, so that a device can repeat it: `rates` are adam_rates on the parameter's
  /// device. Does not count; the moments must be there.
  void step(at::Tensor& parameter, const at::Tensor& gradient, const at::Tensor& rates,
            const AdamOptions& options);
};

}  // namespace w2w::nn
