#include "sigma_scheduler.h"

#include <ATen/TensorOperators.h>
#include <algorithm>
#include <cmath>

namespace w2w {

void SigmaScheduler::plan(int64_t steps) {
  auto grid = sigma_grid(config_, noise_schedule_, steps, Grid::fractional);
  timesteps_ = std::move(grid.timesteps);
  sigmas_ = std::move(grid.sigmas);
  const float highest = std::ranges::max(sigmas_);
  init_noise_sigma_ = config_.timestep_spacing == "leading" ? std::sqrt(highest * highest + 1) : highest;
}

at::Tensor SigmaScheduler::scale_model_input(const at::Tensor& sample, size_t i) const {
  return sample / std::sqrt(sigmas_.at(i) * sigmas_.at(i) + 1);
}

at::Tensor SigmaScheduler::derivative(const at::Tensor& model_output, const at::Tensor& sample,
                                      float sigma) const {
  at::Tensor x0 = model_output;
  if (config_.prediction_type == "epsilon") {
    x0 = sample - sigma * model_output;
  } else if (config_.prediction_type == "v_prediction") {
    const float variance = sigma * sigma + 1;
    x0 = model_output * (-sigma / std::sqrt(variance)) + sample / variance;
  }
  if (config_.clip_sample) x0 = x0.clamp(-config_.clip_sample_range, config_.clip_sample_range);
  return (sample - x0) / sigma;
}

}  // namespace w2w
