// Denoising diffusion implicit models (Song et al. 2021, arXiv 2010.02502), eq. 12 without noise (eta = 0).

#include <ATen/TensorOperators.h>
#include <cmath>

#include "algorithms.h"
#include "timestep_grid.h"

namespace w2w {
namespace {

class Ddim final : public Scheduler {
 public:
  explicit Ddim(const SchedulerConfig& config) : Scheduler(config) {
    require_one_of("prediction_type", config.prediction_type, {"epsilon", "v_prediction", "sample"});
  }
  std::unique_ptr<Scheduler> clone() const override { return std::make_unique<Ddim>(*this); }

 private:
  void plan(int64_t steps) override {
    timesteps_ = timestep_grid(config_, steps, Grid::whole);
    width_ = config_.num_train_timesteps / steps;
  }
  at::Tensor advance(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                     const NoiseFunction&) override;

  int64_t width_ = 0;  ///< timesteps between two samples
};

at::Tensor Ddim::advance(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                         const NoiseFunction&) {
  const auto t = static_cast<int64_t>(timesteps_[i]);
  const float here = alpha_bar(t);
  const float there = t >= width_ ? alpha_bar(t - width_) : config_.set_alpha_to_one ? 1.0F : alpha_bar(0);
  const float signal = std::sqrt(here), spread = std::sqrt(1 - here);
  at::Tensor x0, epsilon;
  if (config_.prediction_type == "epsilon") {
    x0 = (sample - spread * model_output) / signal;
    epsilon = model_output;
  } else if (config_.prediction_type == "sample") {
    x0 = model_output;
    epsilon = (sample - signal * x0) / spread;
  } else {
    x0 = signal * sample - spread * model_output;
    epsilon = signal * model_output + spread * sample;
  }
  if (config_.clip_sample) x0 = x0.clamp(-config_.clip_sample_range, config_.clip_sample_range);
  return std::sqrt(there) * x0 + std::sqrt(1 - there) * epsilon;
}

}  // namespace

std::unique_ptr<Scheduler> make_ddim(const SchedulerConfig& config) { return std::make_unique<Ddim>(config); }

}  // namespace w2w
