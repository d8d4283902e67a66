#include "timestep_grid.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace w2w {
namespace {

/// numpy.linspace(from, to, count).
std::vector<double> linspace(double from, double to, int64_t count) {
  std::vector<double> values(static_cast<size_t>(count), from);
  if (count < 2) return values;
  const double step = (to - from) / static_cast<double>(count - 1);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i) * step + from;
  values.back() = to;
  return values;
}

std::span<const float> span_of(const at::Tensor& values) {
  return {values.const_data_ptr<float>(), static_cast<size_t>(values.numel())};
}

/// numpy.interp(t, [0, 1, 2, ...], values): constant beyond the ends.
double interpolate(std::span<const float> values, double t) {
  const auto low = static_cast<size_t>(t);
  if (low + 1 >= values.size()) return values.back();
  const double left = values[low], right = values[low + 1];
  return (right - left) * (t - static_cast<double>(low)) + left;
}

/// The fractional timestep of a noise level, linear in its logarithm; within the training range.
double timestep_of(double sigma, std::span<const float> log_sigmas) {
  const double wanted = std::log(std::max(sigma, 1e-10));
  const auto above = std::ranges::upper_bound(log_sigmas, wanted);
  const auto found = std::max<ptrdiff_t>(above - log_sigmas.begin(), 1) - 1;
  const auto low = std::min(static_cast<size_t>(found), log_sigmas.size() - 2);
  const double width = log_sigmas[low] - log_sigmas[low + 1];
  const double weight = std::clamp((log_sigmas[low] - wanted) / width, 0.0, 1.0);
  return (1 - weight) * static_cast<double>(low) + weight * static_cast<double>(low + 1);
}

/// Karras et al. 2022, eq. 5.
std::vector<double> karras_sigmas(double highest, double lowest, int64_t steps) {
  constexpr double rho = 7.0;
  const double from = std::pow(highest, 1 / rho), to = std::pow(lowest, 1 / rho);
  auto sigmas = linspace(0, 1, steps);
  for (double& ramp : sigmas) ramp = std::pow(from + ramp * (to - from), rho);
  return sigmas;
}

double round_timestep(double t, const SchedulerConfig& config, Grid grid) {
  if (grid != Grid::open) return static_cast<float>(t);
  // DPM-Solver cuts the fraction off under the cosine schedule; everything else rounds.
  const bool cut =
      config.class_name == "DPMSolverMultistepScheduler" && config.beta_schedule == "squaredcos_cap_v2";
  return cut ? std::trunc(t) : std::nearbyint(t);
}

}  // namespace

std::vector<double> timestep_grid(const SchedulerConfig& config, int64_t steps, Grid grid) {
  const int64_t range = config.num_train_timesteps, points = grid == Grid::open ? steps + 1 : steps;
  std::vector<double> values;
  if (config.timestep_spacing == "trailing") {
    const double width = static_cast<double>(range) / static_cast<double>(steps);
    const double first = static_cast<double>(range),
                 delta = (first - width) - first;  // as numpy.arange adds up
    const auto count = static_cast<int64_t>(std::ceil(-first / -width));
    for (int64_t i = 0; i < count; ++i)
      values.push_back(std::nearbyint(first + static_cast<double>(i) * delta) - 1);
    return values;
  }
  if (config.timestep_spacing == "linspace") {
    values = linspace(0, static_cast<double>(range - 1), points);
    for (double& t : values) t = grid == Grid::fractional ? static_cast<float>(t) : std::nearbyint(t);
  } else {
    const int64_t width = range / points;
    for (int64_t i = 0; i < points; ++i)
      values.push_back(static_cast<double>(i * width + config.steps_offset));
  }
  std::ranges::reverse(values);
  if (grid == Grid::open) values.pop_back();
  return values;
}

SigmaGrid sigma_grid(const SchedulerConfig& config, const NoiseSchedule& schedule, int64_t steps, Grid grid) {
  const auto training = span_of(schedule.sigmas);
  SigmaGrid result{timestep_grid(config, steps, grid), {}};
  std::vector<double> sigmas;
  for (double t : result.timesteps) sigmas.push_back(interpolate(training, t));
  if (config.use_karras_sigmas) {
    const auto log_sigmas = schedule.sigmas.log();
    const bool open = grid == Grid::open;
    sigmas = karras_sigmas(open ? training.back() : sigmas.front(), open ? training.front() : sigmas.back(),
                           steps);
    result.timesteps.clear();
    for (double sigma : sigmas) {
      result.timesteps.push_back(round_timestep(timestep_of(sigma, span_of(log_sigmas)), config, grid));
    }
  }
  result.sigmas.assign(sigmas.begin(), sigmas.end());
  result.sigmas.push_back(config.final_sigmas_type == "sigma_min" ? training.front() : 0.0F);
  return result;
}

}  // namespace w2w
