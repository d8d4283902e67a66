// Pseudo numerical methods for diffusion models (Liu et al. 2022, arXiv 2202.09778): three pseudo Runge-Kutta
// steps of four model calls (algorithm 2), then a linear multistep method on the last four outputs (eq. 12).
// With skip_prk_steps, as Stable Diffusion uses it, the start is instead one improved Euler step (PLMS),
// whose second call is the extra entry of the timestep list.

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include <cmath>

#include "algorithms.h"
#include "timestep_grid.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

class Pndm final : public Scheduler {
 public:
  explicit Pndm(const SchedulerConfig& config) : Scheduler(config) {
    require_one_of("prediction_type", config.prediction_type, {"epsilon", "v_prediction"});
  }
  std::unique_ptr<Scheduler> clone() const override { return std::make_unique<Pndm>(*this); }

 private:
  void plan(int64_t steps) override;
  at::Tensor advance(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                     const NoiseFunction&) override;
  at::Tensor runge_kutta(const at::Tensor& model_output, int64_t t, const at::Tensor& sample);
  at::Tensor multistep(const at::Tensor& model_output, int64_t t, const at::Tensor& sample);
  at::Tensor transfer(const at::Tensor& sample, const at::Tensor& model_output, int64_t from,
                      int64_t to) const;

  int64_t width_ = 0;                ///< timesteps between two samples
  size_t runge_kutta_calls_ = 0;     ///< leading entries of timesteps_
  size_t calls_ = 0;                 ///< model calls so far
  std::vector<at::Tensor> outputs_;  ///< of the last four samples, newest last
  at::Tensor start_;                 ///< sample the running improved Euler or Runge-Kutta step began at
  at::Tensor slope_;                 ///< weighted sum of the running Runge-Kutta step
};

void Pndm::plan(int64_t steps) {
  const auto grid = timestep_grid(config_, steps, Grid::whole);
  width_ = config_.num_train_timesteps / steps;
  timesteps_.clear();
  if (config_.skip_prk_steps) {
    timesteps_ = grid;
    if (grid.size() > 1) timesteps_.insert(timesteps_.begin() + 1, grid[1]);
  } else {
    if (grid.size() < 4) {
      throw Error(ErrorKind::usage,
                  fmt::format("steps: PNDM with Runge-Kutta steps needs 4 or more, found {}", steps));
    }
    const int64_t half = width_ / 2;  // in whole timesteps
    for (size_t k = 0; k < 3; ++k) {  // the four stages: here, half-way twice, at the next sample
      const double middle = grid[k + 1] + static_cast<double>(half);
      timesteps_.insert(timesteps_.end(), {grid[k], middle, middle, grid[k + 1]});
    }
    timesteps_.insert(timesteps_.end(), grid.begin() + 3, grid.end());
  }
  runge_kutta_calls_ = config_.skip_prk_steps ? 0 : 12;
  calls_ = 0;
  outputs_.clear();
  start_.reset();
}

at::Tensor Pndm::advance(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                         const NoiseFunction&) {
  const auto t = static_cast<int64_t>(timesteps_[i]);
  auto next =
      calls_ < runge_kutta_calls_ ? runge_kutta(model_output, t, sample) : multistep(model_output, t, sample);
  ++calls_;
  return next;
}

/// One stage. All four leave from start_; the first three go where the next stage looks, the last goes to the
/// next sample.
at::Tensor Pndm::runge_kutta(const at::Tensor& model_output, int64_t t, const at::Tensor& sample) {
  const size_t stage = calls_ % 4;
  const auto from = static_cast<int64_t>(timesteps_[calls_ - stage]);
  const int64_t to = stage % 2 == 0 ? t - width_ / 2 : t;
  if (stage == 0) {
    outputs_.push_back(model_output);
    start_ = sample;
    slope_ = 1.0 / 6 * model_output;
  } else if (stage < 3) {
    slope_ = slope_ + 1.0 / 3 * model_output;
  }
  return transfer(start_, stage == 3 ? slope_ + 1.0 / 6 * model_output : model_output, from, to);
}

at::Tensor Pndm::multistep(const at::Tensor& model_output, int64_t t, const at::Tensor& sample) {
  if (calls_ ==
      1) {  // second half of the improved Euler step: again from the first sample, with the mean slope
    return transfer(start_, (model_output + outputs_.back()) / 2, t + width_, t);
  }
  outputs_.push_back(model_output);
  if (outputs_.size() > 4) outputs_.erase(outputs_.begin());
  const auto past = [&](size_t age) { return outputs_[outputs_.size() - 1 - age]; };
  at::Tensor slope = model_output;
  if (outputs_.size() == 1) {
    start_ = sample;
  } else if (outputs_.size() == 2) {
    slope = (3 * past(0) - past(1)) / 2;
  } else if (outputs_.size() == 3) {
    slope = (23 * past(0) - 16 * past(1) + 5 * past(2)) / 12;
  } else {
    slope = 1.0 / 24 * (55 * past(0) - 59 * past(1) + 37 * past(2) - 9 * past(3));
  }
  return transfer(sample, slope, t, t - width_);
}

/// The paper's transfer part phi: x at timestep `to` from x at `from` and the predicted noise.
at::Tensor Pndm::transfer(const at::Tensor& sample, const at::Tensor& model_output, int64_t from,
                          int64_t to) const {
  const float here = alpha_bar(from);
  const float there = to >= 0 ? alpha_bar(to) : config_.set_alpha_to_one ? 1.0F : alpha_bar(0);
  const auto epsilon = config_.prediction_type == "v_prediction"
                           ? std::sqrt(here) * model_output + std::sqrt(1 - here) * sample
                           : model_output;
  const float divisor = here * std::sqrt(1 - there) + std::sqrt(here * (1 - here) * there);
  return std::sqrt(there / here) * sample - (there - here) * epsilon / divisor;
}

}  // namespace

std::unique_ptr<Scheduler> make_pndm(const SchedulerConfig& config) { return std::make_unique<Pndm>(config); }

}  // namespace w2w
