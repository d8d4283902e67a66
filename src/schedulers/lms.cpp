// Linear multistep (Adams-Bashforth with uneven steps): the polynomial through the last four derivatives,
// integrated over the step.

#include <ATen/TensorOperators.h>
#include <algorithm>
#include <array>
#include <cmath>

#include "algorithms.h"
#include "sigma_scheduler.h"

namespace w2w {
namespace {

constexpr size_t max_order = 4;

class Lms final : public SigmaScheduler {
 public:
  explicit Lms(const SchedulerConfig& config) : SigmaScheduler(config) {
    require_one_of("prediction_type", config.prediction_type, {"epsilon", "v_prediction", "sample"});
  }
  std::unique_ptr<Scheduler> clone() const override { return std::make_unique<Lms>(*this); }

 private:
  void plan(int64_t steps) override {
    SigmaScheduler::plan(steps);
    derivatives_.clear();
  }
  at::Tensor advance(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                     const NoiseFunction&) override;
  double coefficient(size_t i, size_t age) const;

  std::vector<at::Tensor> derivatives_;  ///< newest first, at most max_order
};

/// The integral over step i of the Lagrange polynomial that is 1 at the derivative `age` steps ago and 0 at
/// the others known: of degree three at most, so that Gauss-Legendre with two points is exact.
double Lms::coefficient(size_t i, size_t age) const {
  const double from = sigmas_[i], to = sigmas_[i + 1], middle = (from + to) / 2, half = (to - from) / 2;
  double sum = 0;
  for (const double node : {-1 / std::sqrt(3.0), 1 / std::sqrt(3.0)}) {
    double product = 1;
    for (size_t k = 0; k < derivatives_.size(); ++k) {
      if (k == age) continue;
      const double other = sigmas_[i - k], own = sigmas_[i - age];
      product *= (middle + half * node - other) / (own - other);
    }
    sum += product * half;
  }
  return sum;
}

at::Tensor Lms::advance(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                        const NoiseFunction&) {
  derivatives_.insert(derivatives_.begin(), derivative(model_output, sample, sigmas_[i]));
  if (derivatives_.size() > max_order) derivatives_.pop_back();
  at::Tensor change = coefficient(i, 0) * derivatives_[0];
  for (size_t age = 1; age < derivatives_.size(); ++age)
    change = change + coefficient(i, age) * derivatives_[age];
  return sample + change;
}

}  // namespace

std::unique_ptr<Scheduler> make_lms(const SchedulerConfig& config) { return std::make_unique<Lms>(config); }

}  // namespace w2w
