// DPM-Solver++(2M) (Lu et al. 2022, arXiv 2211.01095, algorithm 2): the exact solution in lambda = log(alpha
// / sigma) with x0 extrapolated from the last two predictions. The first step, and the last one where told
// so, is of first order.

#include <ATen/TensorOperators.h>
#include <cmath>
#include <utility>

#include "algorithms.h"
#include "timestep_grid.h"
#include "variance_preserving.h"

namespace w2w {
namespace {

constexpr size_t few_steps = 15;  ///< below this lower_order_final applies

class Dpmpp2m final : public Scheduler {
 public:
  explicit Dpmpp2m(const SchedulerConfig& config) : Scheduler(config) {
    require_one_of("prediction_type", config.prediction_type, {"epsilon", "v_prediction", "sample"});
    // Names of related samplers stand for the default, as in diffusers.
    require_one_of("algorithm_type", config.algorithm_type, {"dpmsolver++", "deis"});
    require_one_of("solver_type", config.solver_type, {"midpoint", "logrho", "bh1", "bh2"});
    require_one_of("solver_order", std::to_string(config.solver_order), {"2"});
  }
  std::unique_ptr<Scheduler> clone() const override { return std::make_unique<Dpmpp2m>(*this); }

 private:
  void plan(int64_t steps) override {
    auto grid = sigma_grid(config_, noise_schedule_, steps, Grid::open);
    timesteps_ = std::move(grid.timesteps);
    sigmas_ = std::move(grid.sigmas);
    previous_.reset();
  }
  at::Tensor advance(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                     const NoiseFunction&) override;

  std::vector<float> sigmas_;
  at::Tensor previous_;  ///< x0 predicted by the call before
};

at::Tensor Dpmpp2m::advance(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                            const NoiseFunction&) {
  const Level here(sigmas_[i]), there(sigmas_[i + 1]);
  const auto x0 = here.denoised(config_.prediction_type, model_output, sample);
  const auto before = std::exchange(previous_, x0);
  const float h = there.lambda - here.lambda;
  const float weight = there.alpha * (std::exp(-h) - 1);
  const auto first_order = there.spread / here.spread * sample - weight * x0;
  const size_t count = timesteps_.size();
  const bool final_is_lower = config_.euler_at_final || config_.final_sigmas_type == "zero" ||
                              (config_.lower_order_final && count < few_steps);
  if (!before.defined() || (i + 1 == count && final_is_lower)) return first_order;
  const float ratio = (here.lambda - Level(sigmas_[i - 1]).lambda) / h;
  return first_order - 0.5F * weight * (1 / ratio * (x0 - before));
}

}  // namespace

std::unique_ptr<Scheduler> make_dpmpp_2m(const SchedulerConfig& config) {
  return std::make_unique<Dpmpp2m>(config);
}

}  // namespace w2w
