#pragma once
// The fields of diffusers' scheduler_config.json. Whoever parses the file calls default_config(_class_name)
// and then set_field for every entry: set_field remembers that the value was given, which decides what
// another sampler inherits (see config_for_class).

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "w2w/base/run.h"

namespace w2w {

/// The in-class defaults are PNDMScheduler's; default_config gives those of another class.
struct SchedulerConfig {
  std::string class_name = "PNDMScheduler";
  int64_t num_train_timesteps = 1000;
  double beta_start = 1e-4, beta_end = 0.02;
  std::string beta_schedule = "linear";  ///< linear, scaled_linear, squaredcos_cap_v2
  std::vector<double>
      trained_betas;  ///< instead of the three above, one per training timestep; empty: not used
  std::string prediction_type = "epsilon";   ///< epsilon, v_prediction, sample
  std::string timestep_spacing = "leading";  ///< leading, trailing, linspace (Lin et al. 2023, table 2)
  int64_t steps_offset = 0;                  ///< added to timesteps of leading spacing
  bool set_alpha_to_one = false;             ///< alpha-bar after the last step: 1, or that of timestep 0
  bool skip_prk_steps = false;               ///< PNDM without its Runge-Kutta start: PLMS
  bool clip_sample = false;                  ///< clamp the predicted x0 to +-clip_sample_range
  double clip_sample_range = 1.0;
  bool rescale_betas_zero_snr = false;
  bool use_karras_sigmas = false;
  std::string final_sigmas_type = "zero";  ///< zero, sigma_min
  int64_t solver_order = 2;
  std::string algorithm_type = "dpmsolver++";
  std::string solver_type = "midpoint";
  bool lower_order_final = true;
  bool euler_at_final = false;

  std::set<std::string, std::less<>> given;  ///< names passed to set_field
  std::map<std::string, std::string>
      unsupported;  ///< known names with a value this library does not implement, as text
};

/// null, true/false, whole number, number, text, list of numbers.
using ConfigValue = std::variant<std::monostate, bool, int64_t, double, std::string, std::vector<double>>;

/// Each diffusers class's own defaults. A class that is not implemented gets PNDM's: its config may still
/// serve another sampler.
SchedulerConfig default_config(std::string_view class_name);

/// Sets the field called `name` in the JSON file; null leaves the default. A value that is known but not
/// implemented is kept aside and is an error only if a scheduler that reads it is made. Names beginning with
/// '_' are skipped, unknown ones with a warning. Error(malformed) when the type of the value does not fit.
void set_field(SchedulerConfig& config, std::string_view name, const ConfigValue& value, const Run& run = {});

/// diffusers' CLASS.from_config(config): values that were given (set_field) or differ from the defaults of
/// the config's own class are taken over as far as the new class knows them; everything else takes the new
/// class's defaults.
SchedulerConfig config_for_class(const SchedulerConfig& config, std::string_view class_name);

/// What StableDiffusionPipeline does to an outdated config: steps_offset 1, and no clipping of the predicted
/// sample if the class has that option. (A class without it leaves the default of whatever sampler is chosen
/// later, as in diffusers.)
SchedulerConfig amended_for_stable_diffusion(SchedulerConfig config);

/// Whether the diffusers class has an argument `field`.
bool class_takes_field(std::string_view class_name, std::string_view field);

}  // namespace w2w
