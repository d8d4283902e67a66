// Heun's second-order method (Karras et al. 2022, algorithm 1): an Euler step, then again from the same
// sample with the mean of the slopes at both ends. Two model calls a step but one for the last, which ends at
// zero noise.

#include <ATen/TensorOperators.h>

#include "algorithms.h"
#include "sigma_scheduler.h"

namespace w2w {
namespace {

class Heun final : public SigmaScheduler {
 public:
  explicit Heun(const SchedulerConfig& config) : SigmaScheduler(config) {
    require_one_of("prediction_type", config.prediction_type, {"epsilon", "v_prediction", "sample"});
  }
  std::unique_ptr<Scheduler> clone() const override { return std::make_unique<Heun>(*this); }

 private:
  void plan(int64_t steps) override;
  at::Tensor advance(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                     const NoiseFunction&) override;

  at::Tensor start_, slope_;  ///< of the running step, between its two calls
};

/// Every noise level but the first and the final zero is visited twice: t0 t1 t1 t2 t2 ...
void Heun::plan(int64_t steps) {
  SigmaScheduler::plan(steps);
  const auto grid = std::move(timesteps_);
  const auto levels = std::move(sigmas_);
  timesteps_ = {grid[0]};
  sigmas_ = {levels[0]};
  for (size_t k = 1; k < grid.size(); ++k) {
    timesteps_.insert(timesteps_.end(), 2, grid[k]);
    sigmas_.insert(sigmas_.end(), 2, levels[k]);
  }
  sigmas_.push_back(levels.back());
  start_.reset();
}

at::Tensor Heun::advance(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                         const NoiseFunction&) {
  const auto slope = derivative(model_output, sample, sigmas_[i]);
  if (!start_.defined()) {
    start_ = sample;
    slope_ = slope;
    return sample + slope * (sigmas_[i + 1] - sigmas_[i]);
  }
  const auto next = start_ + (slope_ + slope) / 2 * (sigmas_[i] - sigmas_[i - 1]);
  start_.reset();
  return next;
}

}  // namespace

std::unique_ptr<Scheduler> make_heun(const SchedulerConfig& config) { return std::make_unique<Heun>(config); }

}  // namespace w2w
