#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

#include "w2w/schedulers/noise_schedule.h"

namespace w2w {

/// Standard normal noise of the sample's shape, f32, drawn anew at each call; only ancestral samplers call
/// it.
using NoiseFunction = std::function<at::Tensor()>;

/// One way of walking from noise to a sample. Use:
///   set_timesteps(n); x = randn * init_noise_sigma();
///   for i: out = model(scale_model_input(x, i), timesteps()[i]); x = step(out, i, x, noise);
/// Results equal diffusers' class of the same name. Not thread-safe; clone() forks a walk half-way.
class Scheduler {
 public:
  virtual ~Scheduler() = default;

  /// Plans `steps` steps and forgets everything of a previous walk. Error(usage) unless 1 <= steps <=
  /// num_train_timesteps.
  void set_timesteps(int64_t steps);
  /// Descending, one entry per model call (PNDM: steps + 1, Heun: 2 steps - 1); fractional for Euler, LMS,
  /// Heun.
  const std::vector<double>& timesteps() const { return timesteps_; }
  /// What standard normal noise is multiplied with to be the first sample; valid after set_timesteps.
  double init_noise_sigma() const { return init_noise_sigma_; }
  /// What the model sees of `sample` at call `i`.
  virtual at::Tensor scale_model_input(const at::Tensor& sample, size_t i) const;
  /// The sample after model call `i`. Computed in f32, or f64 if the sample is; calls must follow each other
  /// in order.
  at::Tensor step(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                  const NoiseFunction& noise);

  /// A copy with its whole history (shared: tensors are never written to).
  virtual std::unique_ptr<Scheduler> clone() const = 0;

  const SchedulerConfig& config() const { return config_; }
  const NoiseSchedule& noise_schedule() const { return noise_schedule_; }

 protected:
  explicit Scheduler(const SchedulerConfig& config);
  Scheduler(const Scheduler&) = default;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Fills timesteps_ (and init_noise_sigma_) and clears the history.
  virtual void plan(int64_t steps) = 0;
  virtual at::Tensor advance(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                             const NoiseFunction& noise) = 0;
  /// alpha-bar of a training timestep. Error(usage) beyond the last one (a steps_offset that does not fit).
  float alpha_bar(int64_t timestep) const;

  SchedulerConfig config_;
  NoiseSchedule noise_schedule_;
  std::vector<double> timesteps_;
  double init_noise_sigma_ = 1.0;
};

}  // namespace w2w
