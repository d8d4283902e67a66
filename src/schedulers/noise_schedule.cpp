#include "w2w/schedulers/noise_schedule.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cumprod.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "algorithms.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

/// Nichol and Dhariwal 2021, eq. 17: alpha-bar(t) = cos^2((t + 0.008) / 1.008 * pi / 2), beta at most 0.999.
at::Tensor cosine_betas(int64_t count) {
  const auto cosine_alpha_bar = [](double t) {
    const double root = std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2);
    return root * root;
  };
  std::vector<double> betas(static_cast<size_t>(count));
  const auto total = static_cast<double>(count);
  for (size_t i = 0; i < betas.size(); ++i) {
    const auto t = static_cast<double>(i);
    betas[i] = std::min(1 - cosine_alpha_bar((t + 1) / total) / cosine_alpha_bar(t / total), 0.999);
  }
  return at::tensor(betas, at::kFloat);
}

/// Lin et al. 2023, algorithm 1: shift and scale sqrt(alpha-bar) so that it ends at zero and starts where it
/// did.
at::Tensor with_zero_terminal_snr(const at::Tensor& betas) {
  const auto root = at::cumprod(1.0 - betas, 0).sqrt();
  const auto first = root[0], last = root[-1];
  const auto alpha_bar = ((root - last) * (first / (first - last))).square();
  return 1 - at::cat({alpha_bar.slice(0, 0, 1), alpha_bar.slice(0, 1) / alpha_bar.slice(0, 0, -1)});
}

constexpr int64_t most_timesteps = 1'000'000;  // anything above is a broken file

at::Tensor make_betas(const SchedulerConfig& config) {
  const int64_t count = config.num_train_timesteps;
  if (count < 2 || count > most_timesteps) {
    throw Error(ErrorKind::malformed,
                fmt::format("scheduler field 'num_train_timesteps': expected 2 to {}, found {}",
                            most_timesteps, count));
  }
  if (!config.trained_betas.empty()) {
    if (static_cast<int64_t>(config.trained_betas.size()) != count) {
      throw Error(ErrorKind::malformed,
                  fmt::format("scheduler field 'trained_betas': expected {} numbers, found {}", count,
                              config.trained_betas.size()));
    }
    if (!std::ranges::all_of(config.trained_betas, [](double beta) { return beta > 0 && beta < 1; })) {
      throw Error(ErrorKind::malformed, "scheduler field 'trained_betas': expected numbers between 0 and 1");
    }
    return at::tensor(config.trained_betas, at::kFloat);
  }
  require_one_of("beta_schedule", config.beta_schedule, {"linear", "scaled_linear", "squaredcos_cap_v2"});
  if (config.beta_schedule == "squaredcos_cap_v2") return cosine_betas(count);
  if (!(config.beta_start > 0 && config.beta_start <= config.beta_end && config.beta_end < 1)) {
    throw Error(
        ErrorKind::malformed,
        fmt::format("scheduler fields 'beta_start', 'beta_end': expected 0 < start <= end < 1, found {}, {}",
                    config.beta_start, config.beta_end));
  }
  if (config.beta_schedule == "linear")
    return at::linspace(config.beta_start, config.beta_end, count, at::kFloat);
  return at::linspace(std::sqrt(config.beta_start), std::sqrt(config.beta_end), count, at::kFloat).square();
}

}  // namespace

NoiseSchedule::NoiseSchedule(const SchedulerConfig& config) : prediction_type(config.prediction_type) {
  auto betas = make_betas(config);
  const bool rescale =
      config.rescale_betas_zero_snr && class_takes_field(config.class_name, "rescale_betas_zero_snr");
  if (rescale) betas = with_zero_terminal_snr(betas);
  alphas_cumprod = at::cumprod(1.0 - betas, 0);
  // Samplers that divide by alpha-bar need it above zero: diffusers takes the least that still is finite in
  // f16.
  const bool divides = config.class_name != "DDIMScheduler" && config.class_name != "DDPMScheduler";
  if (rescale && divides) alphas_cumprod[-1].fill_(std::ldexp(1.0, -24));
  sigmas = ((1 - alphas_cumprod) / alphas_cumprod).sqrt();
}

at::Tensor NoiseSchedule::alpha_bar(const at::Tensor& like, const at::Tensor& timesteps) const {
  std::vector<int64_t> shape(static_cast<size_t>(like.dim()), 1);
  shape[0] = timesteps.numel();
  return alphas_cumprod.to(like.device(), like.scalar_type())
      .index_select(0, timesteps.to(like.device()).flatten())
      .view(shape);
}

at::Tensor NoiseSchedule::add_noise(const at::Tensor& x0, const at::Tensor& noise,
                                    const at::Tensor& timesteps) const {
  const auto a = alpha_bar(x0, timesteps);
  return a.sqrt() * x0 + (1 - a).sqrt() * noise;
}

at::Tensor NoiseSchedule::velocity(const at::Tensor& x0, const at::Tensor& noise,
                                   const at::Tensor& timesteps) const {
  const auto a = alpha_bar(x0, timesteps);
  return a.sqrt() * noise - (1 - a).sqrt() * x0;
}

at::Tensor NoiseSchedule::target(const at::Tensor& x0, const at::Tensor& noise,
                                 const at::Tensor& timesteps) const {
  if (prediction_type == "epsilon") return noise;
  return prediction_type == "v_prediction" ? velocity(x0, noise, timesteps) : x0;
}

}  // namespace w2w
