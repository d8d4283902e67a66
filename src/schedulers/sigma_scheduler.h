#pragma once
// What the samplers of k-diffusion share (Karras et al. 2022): samples x = x0 + sigma n, so that an ODE step
// is dx = (x - x0) / sigma * dsigma.

#include "timestep_grid.h"
#include "w2w/schedulers/scheduler.h"

namespace w2w {

class SigmaScheduler : public Scheduler {
 public:
  at::Tensor scale_model_input(const at::Tensor& sample, size_t i) const override;

 protected:
  using Scheduler::Scheduler;

  /// Sets sigmas_, timesteps_ and init_noise_sigma_.
  void plan(int64_t steps) override;
  /// (x - x0) / sigma with the x0 that the model output means.
  at::Tensor derivative(const at::Tensor& model_output, const at::Tensor& sample, float sigma) const;

  std::vector<float> sigmas_;  ///< one more than timesteps_; sigmas_[i] is the noise level of model call i
};

}  // namespace w2w
