// Euler's method with ancestral noise: each step goes to sigma_down, below the next noise level, and fresh
// noise of deviation sigma_up lifts the sample there: sigma_down^2 + sigma_up^2 = sigma_next^2, sigma_up
// being the posterior deviation of DDPM (Song et al. 2021, arXiv 2010.02502, eq. 16 with eta = 1).

#include <ATen/TensorOperators.h>
#include <cmath>

#include "algorithms.h"
#include "sigma_scheduler.h"

namespace w2w {
namespace {

class EulerAncestral final : public SigmaScheduler {
 public:
  explicit EulerAncestral(const SchedulerConfig& config) : SigmaScheduler(config) {
    require_one_of("prediction_type", config.prediction_type, {"epsilon", "v_prediction"});
  }
  std::unique_ptr<Scheduler> clone() const override { return std::make_unique<EulerAncestral>(*this); }

 private:
  at::Tensor advance(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                     const NoiseFunction& noise) override {
    const float sigma = sigmas_[i], next = sigmas_[i + 1], squared = sigma * sigma;
    const float up = std::sqrt(next * next * (squared - next * next) / squared);
    const float down = std::sqrt(next * next - up * up);
    const auto drift = sample + derivative(model_output, sample, sigma) * (down - sigma);
    return drift + noise().to(sample.device(), sample.scalar_type()) * up;
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_euler_ancestral(const SchedulerConfig& config) {
  return std::make_unique<EulerAncestral>(config);
}

}  // namespace w2w
