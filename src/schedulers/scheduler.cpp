#include "w2w/schedulers/scheduler.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <stdexcept>

#include "algorithms.h"
#include "w2w/base/error.h"

namespace w2w {

void require_one_of(std::string_view field, const std::string& value,
                    const std::vector<std::string>& supported) {
  if (std::ranges::find(supported, value) != supported.end()) return;
  throw Error(ErrorKind::malformed, fmt::format("scheduler field '{}': expected {}, found '{}'", field,
                                                fmt::join(supported, " or "), value));
}

Scheduler::Scheduler(const SchedulerConfig& config) : config_(config), noise_schedule_(config) {
  require_one_of("timestep_spacing", config.timestep_spacing, {"leading", "trailing", "linspace"});
  require_one_of("final_sigmas_type", config.final_sigmas_type, {"zero", "sigma_min"});
  if (config.steps_offset < 0 || config.steps_offset >= config.num_train_timesteps) {
    throw Error(ErrorKind::malformed,
                fmt::format("scheduler field 'steps_offset': expected 0 to {}, found {}",
                            config.num_train_timesteps - 1, config.steps_offset));
  }
  for (const auto& [name, value] : config.unsupported) {
    throw Error(ErrorKind::malformed,
                fmt::format("{} with '{}' = {} is not implemented", config.class_name, name, value),
                "choose another sampler");
  }
}

void Scheduler::set_timesteps(int64_t steps) {
  if (steps < 1 || steps > config_.num_train_timesteps) {
    throw Error(ErrorKind::usage,
                fmt::format("steps: expected 1 to {}, found {}", config_.num_train_timesteps, steps));
  }
  plan(steps);
}

at::Tensor Scheduler::scale_model_input(const at::Tensor& sample, size_t) const { return sample; }

at::Tensor Scheduler::step(const at::Tensor& model_output, size_t i, const at::Tensor& sample,
                           const NoiseFunction& noise) {
  if (i >= timesteps_.size()) {
    throw std::logic_error(fmt::format("scheduler step {} of {}", i, timesteps_.size()));
  }
  const auto dtype = sample.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return advance(model_output.to(dtype), i, sample.to(dtype), noise);
}

float Scheduler::alpha_bar(int64_t timestep) const {
  if (timestep < 0 || timestep >= config_.num_train_timesteps) {
    throw Error(ErrorKind::usage,
                fmt::format("this number of steps with steps_offset {} needs timestep {} of {}",
                            config_.steps_offset, timestep, config_.num_train_timesteps),
                "use fewer steps");
  }
  return noise_schedule_.alphas_cumprod.const_data_ptr<float>()[timestep];
}

}  // namespace w2w
