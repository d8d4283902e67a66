// UniPC (Zhao et al. 2023, arXiv 2302.04867) of order 2 in its x0 form with B(h) = e^-h - 1 (bh2): each model
// call first corrects the sample it was made at (UniC, algorithm 5), then predicts the next one (UniP,
// algorithm 6).

#include <ATen/TensorOperators.h>
#include <cmath>
#include <utility>

#include "algorithms.h"
#include "timestep_grid.h"
#include "variance_preserving.h"

namespace w2w {
namespace {

class UniPc final : public Scheduler {
 public:
  explicit UniPc(const SchedulerConfig& config) : Scheduler(config) {
    require_one_of("prediction_type", config.prediction_type, {"epsilon", "v_prediction", "sample"});
    // Names of related samplers stand for the default, as in diffusers.
    require_one_of("solver_type", config.solver_type, {"bh2", "midpoint", "heun", "logrho"});
    require_one_of("solver_order", std::to_string(config.solver_order), {"2"});
  }
  std::unique_ptr<Scheduler> clone() const override { return std::make_unique<UniPc>(*this); }

 private:
  void plan(int64_t steps) override {
    auto grid = sigma_grid(config_, noise_schedule_, steps, Grid::open);
    timesteps_ = std::move(grid.timesteps);
    sigmas_ = std::move(grid.sigmas);
    newest_.reset();
    last_sample_.reset();
    order_ = 0;
  }
  at::Tensor advance(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                     const NoiseFunction&) override;
  at::Tensor corrected(const at::Tensor& x0, size_t i) const;
  at::Tensor predicted(const at::Tensor& sample, size_t i) const;

  std::vector<float> sigmas_;
  at::Tensor newest_, older_;  ///< the last two predictions of x0
  at::Tensor last_sample_;     ///< corrected sample the running prediction left from
  int order_ = 0;              ///< of that prediction
};

at::Tensor UniPc::advance(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                          const NoiseFunction&) {
  const auto x0 = Level(sigmas_[i]).denoised(config_.prediction_type, model_output, sample);
  last_sample_ = last_sample_.defined() ? corrected(x0, i) : sample;
  older_ = std::exchange(newest_, x0);
  const bool last = config_.lower_order_final && i + 1 == timesteps_.size();
  order_ = older_.defined() && !last ? 2 : 1;
  return predicted(last_sample_, i);
}

/// The sample at noise level i once more, now that the model's x0 there is known.
at::Tensor UniPc::corrected(const at::Tensor& x0, size_t i) const {
  const Level from(sigmas_[i - 1]), to(sigmas_[i]);
  const float h = from.lambda - to.lambda, phi1 = std::expm1(h);
  const auto base = to.spread / from.spread * last_sample_ - to.alpha * phi1 * newest_;
  const auto change = x0 - newest_;
  if (order_ == 1) return base - to.alpha * phi1 * (0.5F * change);
  // rho solves  rho_0 + rho_1 = b_0,  r rho_0 + rho_1 = b_1  (eq. 12 there).
  const float ratio = (Level(sigmas_[i - 2]).lambda - from.lambda) / -h;
  const float phi2 = phi1 / h - 1, phi3 = phi2 / h - 0.5F;
  const float b0 = phi2 / phi1, b1 = phi3 * 2 / phi1;
  const float rho0 = (b1 - b0) / (ratio - 1), rho1 = b0 - rho0;
  return base - to.alpha * phi1 * (rho0 * ((older_ - newest_) / ratio) + rho1 * change);
}

at::Tensor UniPc::predicted(const at::Tensor& sample, size_t i) const {
  const Level from(sigmas_[i]), to(sigmas_[i + 1]);
  const float h = from.lambda - to.lambda, phi1 = std::expm1(h);
  const auto base = to.spread / from.spread * sample - to.alpha * phi1 * newest_;
  if (order_ == 1) return base;
  const float ratio = (Level(sigmas_[i - 1]).lambda - from.lambda) / -h;
  return base - to.alpha * phi1 * (0.5F * ((older_ - newest_) / ratio));
}

}  // namespace

std::unique_ptr<Scheduler> make_unipc(const SchedulerConfig& config) {
  return std::make_unique<UniPc>(config);
}

}  // namespace w2w
