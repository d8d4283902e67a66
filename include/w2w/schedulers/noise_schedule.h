#pragma once
#include <ATen/core/Tensor.h>

#include "w2w/schedulers/scheduler_config.h"

namespace w2w {

/// The forward process q(x_t | x_0) = N(sqrt(alpha-bar_t) x_0, (1 - alpha-bar_t) I) of DDPM (Ho et al. 2020,
/// eq. 4), with the very f32 values of diffusers.
struct NoiseSchedule {
  /// Error(malformed) naming the field when the config makes no schedule.
  explicit NoiseSchedule(const SchedulerConfig& config);

  at::Tensor alphas_cumprod;  ///< alpha-bar, f32 [num_train_timesteps] on the CPU
  at::Tensor sigmas;  ///< sqrt((1 - alpha-bar) / alpha-bar), f32 [num_train_timesteps] on the CPU, ascending

  /// x_t from x0 and noise [B, ...] of one shape and timesteps int64 [B] or [1], in x0's dtype and on its
  /// device.
  at::Tensor add_noise(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& timesteps) const;

  /// sqrt(alpha-bar) noise - sqrt(1 - alpha-bar) x0: what a model of prediction type v_prediction predicts
  /// (Salimans & Ho 2022, appendix D). Arguments as in add_noise.
  at::Tensor velocity(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& timesteps) const;

  /// What the model is trained to predict, by the config's prediction_type: the noise, the velocity or x0
  /// itself. Arguments as in add_noise.
  at::Tensor target(const at::Tensor& x0, const at::Tensor& noise, const at::Tensor& timesteps) const;

  std::string prediction_type;

 private:
  /// alpha-bar of each timestep in the dtype and on the device of `like` [B, ...], shaped to multiply it.
  at::Tensor alpha_bar(const at::Tensor& like, const at::Tensor& timesteps) const;
};

}  // namespace w2w
