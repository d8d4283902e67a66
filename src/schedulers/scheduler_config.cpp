#include "w2w/schedulers/scheduler_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "w2w/base/error.h"
#include "w2w/base/run.h"

namespace w2w {
namespace {

template <typename T>
using Member = T SchedulerConfig::*;

struct Field {
  std::string_view name;
  std::variant<Member<bool>, Member<int64_t>, Member<double>, Member<std::string>,
               Member<std::vector<double>>>
      member;
};

const std::array fields = {
    Field{"num_train_timesteps", &SchedulerConfig::num_train_timesteps},
    Field{"beta_start", &SchedulerConfig::beta_start},
    Field{"beta_end", &SchedulerConfig::beta_end},
    Field{"beta_schedule", &SchedulerConfig::beta_schedule},
    Field{"trained_betas", &SchedulerConfig::trained_betas},
    Field{"prediction_type", &SchedulerConfig::prediction_type},
    Field{"timestep_spacing", &SchedulerConfig::timestep_spacing},
    Field{"steps_offset", &SchedulerConfig::steps_offset},
    Field{"set_alpha_to_one", &SchedulerConfig::set_alpha_to_one},
    Field{"skip_prk_steps", &SchedulerConfig::skip_prk_steps},
    Field{"clip_sample", &SchedulerConfig::clip_sample},
    Field{"clip_sample_range", &SchedulerConfig::clip_sample_range},
    Field{"rescale_betas_zero_snr", &SchedulerConfig::rescale_betas_zero_snr},
    Field{"use_karras_sigmas", &SchedulerConfig::use_karras_sigmas},
    Field{"final_sigmas_type", &SchedulerConfig::final_sigmas_type},
    Field{"solver_order", &SchedulerConfig::solver_order},
    Field{"algorithm_type", &SchedulerConfig::algorithm_type},
    Field{"solver_type", &SchedulerConfig::solver_type},
    Field{"lower_order_final", &SchedulerConfig::lower_order_final},
    Field{"euler_at_final", &SchedulerConfig::euler_at_final},
};

/// Fields of which one value (or null) is implemented.
struct Fixed {
  std::string_view name;
  ConfigValue only;
};

const std::array fixed_fields = {
    Fixed{"thresholding", false},
    Fixed{"use_exponential_sigmas", false},
    Fixed{"use_beta_sigmas", false},
    Fixed{"use_flow_sigmas", false},
    Fixed{"use_lu_lambdas", false},
    Fixed{"use_dynamic_shifting", false},
    Fixed{"predict_x0", true},
    Fixed{"interpolation_type", "linear"},
    Fixed{"timestep_type", "discrete"},
    Fixed{"lambda_min_clipped", -std::numeric_limits<double>::infinity()},
    Fixed{"disable_corrector", std::vector<double>{}},
    Fixed{"solver_p", {}},
    Fixed{"sigma_min", {}},
    Fixed{"sigma_max", {}},
    Fixed{"shift_terminal", {}},
};

/// Parameters of switches that are off, so that their value means nothing.
constexpr std::array inert_fields = {"dynamic_thresholding_ratio", "sample_max_value", "flow_shift",
                                     "time_shift_type"};

constexpr std::string_view common_fields =
    " num_train_timesteps beta_start beta_end beta_schedule trained_betas prediction_type timestep_spacing "
    "steps_offset ";

struct ClassFields {
  std::string_view name;
  std::string_view fields;  ///< besides the common ones, each between two spaces
};

constexpr std::array class_fields = {
    ClassFields{"PNDMScheduler", " skip_prk_steps set_alpha_to_one "},
    ClassFields{"DDIMScheduler",
                " clip_sample clip_sample_range set_alpha_to_one thresholding rescale_betas_zero_snr "},
    ClassFields{"DDPMScheduler",
                " clip_sample clip_sample_range thresholding rescale_betas_zero_snr variance_type "},
    ClassFields{
        "EulerDiscreteScheduler",
        " interpolation_type use_karras_sigmas use_exponential_sigmas use_beta_sigmas sigma_min sigma_max"
        " timestep_type rescale_betas_zero_snr final_sigmas_type "},
    ClassFields{"EulerAncestralDiscreteScheduler", " rescale_betas_zero_snr "},
    ClassFields{"HeunDiscreteScheduler",
                " use_karras_sigmas use_exponential_sigmas use_beta_sigmas clip_sample clip_sample_range "},
    ClassFields{"LMSDiscreteScheduler", " use_karras_sigmas use_exponential_sigmas use_beta_sigmas "},
    ClassFields{
        "DPMSolverMultistepScheduler",
        " solver_order thresholding algorithm_type solver_type lower_order_final euler_at_final"
        " use_karras_sigmas use_exponential_sigmas use_beta_sigmas use_lu_lambdas use_flow_sigmas"
        " final_sigmas_type lambda_min_clipped variance_type rescale_betas_zero_snr use_dynamic_shifting "},
    ClassFields{
        "UniPCMultistepScheduler",
        " solver_order thresholding predict_x0 solver_type lower_order_final disable_corrector solver_p"
        " use_karras_sigmas use_exponential_sigmas use_beta_sigmas use_flow_sigmas final_sigmas_type"
        " rescale_betas_zero_snr use_dynamic_shifting sigma_min sigma_max shift_terminal "},
};

std::string describe(const ConfigValue& value) {
  struct Visitor {
    std::string operator()(std::monostate) const { return "null"; }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(int64_t number) const { return fmt::format("{}", number); }
    std::string operator()(double number) const { return fmt::format("{}", number); }
    std::string operator()(const std::string& text) const { return "\"" + text + "\""; }
    std::string operator()(const std::vector<double>& list) const {
      return fmt::format("a list of {} numbers", list.size());
    }
  };
  return std::visit(Visitor{}, value);
}

/// The value as T; a whole number also stands for a number, and an empty list for a list of anything.
template <typename T>
T value_as(std::string_view name, const ConfigValue& value) {
  if (const auto* exact = std::get_if<T>(&value)) return *exact;
  if constexpr (std::is_same_v<T, double>) {
    if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
  }
  const char* expected = std::is_same_v<T, bool>          ? "true or false"
                         : std::is_same_v<T, int64_t>     ? "a whole number"
                         : std::is_same_v<T, double>      ? "a number"
                         : std::is_same_v<T, std::string> ? "text"
                                                          : "a list of numbers";
  throw Error(ErrorKind::malformed,
              fmt::format("scheduler field '{}': expected {}, found {}", name, expected, describe(value)));
}

bool is_unsupported(std::string_view name, const ConfigValue& value) {
  if (name == "variance_type") {  // a model with learned variances has more output channels
    const auto* text = std::get_if<std::string>(&value);
    return text && text->starts_with("learned");
  }
  const auto fixed = std::ranges::find(fixed_fields, name, &Fixed::name);
  return fixed != fixed_fields.end() && !std::holds_alternative<std::monostate>(value) &&
         value != fixed->only;
}

bool is_known(std::string_view name) {
  return name == "variance_type" ||
         std::ranges::find(fixed_fields, name, &Fixed::name) != fixed_fields.end() ||
         std::ranges::find(inert_fields, name) != inert_fields.end();
}

bool contains_word(std::string_view words, std::string_view word) {
  return words.find(fmt::format(" {} ", word)) != std::string_view::npos;
}

}  // namespace

SchedulerConfig default_config(std::string_view class_name) {
  SchedulerConfig config;
  config.class_name = class_name;
  const bool k_diffusion = class_name == "EulerDiscreteScheduler" ||
                           class_name == "EulerAncestralDiscreteScheduler" ||
                           class_name == "HeunDiscreteScheduler" || class_name == "LMSDiscreteScheduler";
  if (k_diffusion || class_name == "DPMSolverMultistepScheduler" || class_name == "UniPCMultistepScheduler") {
    config.timestep_spacing = "linspace";
  }
  if (class_name == "HeunDiscreteScheduler") config.beta_start = 0.00085, config.beta_end = 0.012;
  if (class_name == "UniPCMultistepScheduler") config.solver_type = "bh2";
  if (class_name == "DDIMScheduler") config.set_alpha_to_one = true;
  if (class_name == "DDIMScheduler" || class_name == "DDPMScheduler") config.clip_sample = true;
  return config;
}

void set_field(SchedulerConfig& config, std::string_view name, const ConfigValue& value, const Run& run) {
  if (name.starts_with('_')) return;
  const auto field = std::ranges::find(fields, name, &Field::name);
  if (field != fields.end()) {
    if (std::holds_alternative<std::monostate>(value)) return;
    std::visit([&]<typename T>(Member<T> member) { config.*member = value_as<T>(name, value); },
               field->member);
    config.given.emplace(name);
  } else if (is_unsupported(name, value)) {
    config.unsupported[std::string(name)] = describe(value);
  } else if (!is_known(name)) {
    run.warn(fmt::format("scheduler field '{}' is not known and was ignored", name));
  }
}

bool class_takes_field(std::string_view class_name, std::string_view field) {
  const auto entry = std::ranges::find(class_fields, class_name, &ClassFields::name);
  return contains_word(common_fields, field) ||
         (entry != class_fields.end() && contains_word(entry->fields, field));
}

SchedulerConfig config_for_class(const SchedulerConfig& config, std::string_view class_name) {
  const SchedulerConfig own = default_config(config.class_name);
  SchedulerConfig result = default_config(class_name);
  for (const auto& field : fields) {
    if (!class_takes_field(class_name, field.name)) continue;
    std::visit(
        [&](auto member) {
          if (config.given.contains(field.name) || config.*member != own.*member) {
            result.*member = config.*member;
            result.given.emplace(field.name);
          }
        },
        field.member);
  }
  for (const auto& [name, value] : config.unsupported) {
    if (class_takes_field(class_name, name)) result.unsupported[name] = value;
  }
  return result;
}

SchedulerConfig amended_for_stable_diffusion(SchedulerConfig config) {
  set_field(config, "steps_offset", int64_t{1});
  if (class_takes_field(config.class_name, "clip_sample")) set_field(config, "clip_sample", false);
  return config;
}

}  // namespace w2w
