// Euler's method (Karras et al. 2022, algorithm 2 without churn).

#include <ATen/TensorOperators.h>

#include "algorithms.h"
#include "sigma_scheduler.h"

namespace w2w {
namespace {

class Euler final : public SigmaScheduler {
 public:
  explicit Euler(const SchedulerConfig& config) : SigmaScheduler(config) {
    require_one_of("prediction_type", config.prediction_type, {"epsilon", "v_prediction", "sample"});
  }
  std::unique_ptr<Scheduler> clone() const override { return std::make_unique<Euler>(*this); }

 private:
  at::Tensor advance(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                     const NoiseFunction&) override {
    return sample + derivative(model_output, sample, sigmas_[i]) * (sigmas_[i + 1] - sigmas_[i]);
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_euler(const SchedulerConfig& config) {
  return std::make_unique<Euler>(config);
}

}  // namespace w2w
