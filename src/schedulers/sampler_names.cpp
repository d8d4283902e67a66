#include "w2w/schedulers/sampler_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "algorithms.h"
#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"

namespace w2w {
namespace {

struct Sampler {
  std::string_view name;
  std::string_view class_name;
  std::unique_ptr<Scheduler> (*make)(const SchedulerConfig&);
  std::vector<std::string>
      aliases;  ///< besides name and class name with and without "Scheduler", "k_" in front or not
};

/// PNDM without its Runge-Kutta start, whatever the model's file says.
std::unique_ptr<Scheduler> make_plms(const SchedulerConfig& config) {
  auto plms = config;
  plms.skip_prk_steps = true;
  return make_pndm(plms);
}

const std::array samplers = {
    Sampler{"pndm", "PNDMScheduler", make_pndm, {}},
    Sampler{"plms", "PNDMScheduler", make_plms, {}},
    Sampler{"ddim", "DDIMScheduler", make_ddim, {}},
    Sampler{"euler", "EulerDiscreteScheduler", make_euler, {}},
    Sampler{"euler_ancestral", "EulerAncestralDiscreteScheduler", make_euler_ancestral, {"euler_a"}},
    Sampler{"heun", "HeunDiscreteScheduler", make_heun, {}},
    Sampler{"lms", "LMSDiscreteScheduler", make_lms, {}},
    Sampler{"dpmpp_2m", "DPMSolverMultistepScheduler", make_dpmpp_2m, {"dpm++ 2m", "dpmsolver++"}},
    Sampler{"unipc", "UniPCMultistepScheduler", make_unipc, {"uni_pc_bh2"}},
};

/// Lower-case letters and digits only, with ++ as pp: "DPM++ 2M" and "dpmpp_2m" become one.
std::string normalized(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte)) result += static_cast<char>(std::tolower(byte));
    if (c == '+') result += 'p';
  }
  return result;
}

std::vector<std::string> spellings(const Sampler& sampler) {
  const std::string_view class_name = sampler.class_name;
  std::vector<std::string> names{
      std::string(sampler.name), std::string(class_name),
      std::string(class_name.substr(0, class_name.size() - std::string_view("Scheduler").size()))};
  names.insert(names.end(), sampler.aliases.begin(), sampler.aliases.end());
  return names;
}

bool answers_to(const Sampler& sampler, std::string_view wanted) {
  return std::ranges::any_of(spellings(sampler), [&](const auto& name) {
    const auto plain = normalized(name);
    return wanted == plain || wanted == "k" + plain;
  });
}

bool parse_schedule(std::string_view schedule) {
  const auto wanted = normalized(schedule);
  if (wanted == "karras") return true;
  if (wanted.empty() || wanted == "automatic" || wanted == "default" || wanted == "normal" ||
      wanted == "discrete") {
    return false;
  }
  throw Error(ErrorKind::usage, fmt::format("unknown schedule '{}'", schedule),
              suggest(schedule, {"karras", "automatic", "default", "normal", "discrete"}));
}

[[noreturn]] void throw_unknown(std::string_view sampler) {
  std::vector<std::string> names = sampler_names();
  for (const auto& entry : samplers) names.insert(names.end(), entry.aliases.begin(), entry.aliases.end());
  throw Error(ErrorKind::usage, fmt::format("unknown sampler '{}'", sampler), suggest(sampler, names));
}

const Sampler& find_name(std::string_view name) {
  const auto found = std::ranges::find(samplers, name, &Sampler::name);
  if (found == samplers.end()) throw_unknown(name);
  return *found;
}

const Sampler& find_class(std::string_view class_name) {
  const auto found = std::ranges::find(samplers, class_name, &Sampler::class_name);
  if (found != samplers.end()) return *found;
  throw Error(ErrorKind::malformed, fmt::format("scheduler class '{}' is not implemented", class_name),
              fmt::format("choose a sampler: {}", fmt::join(sampler_names(), ", ")));
}

void require_karras(const Sampler& sampler) {
  if (class_takes_field(sampler.class_name, "use_karras_sigmas")) return;
  throw Error(ErrorKind::usage, fmt::format("sampler '{}' has no Karras schedule", sampler.name),
              "euler, heun, lms, dpmpp_2m and unipc have one");
}

}  // namespace

std::vector<std::string> sampler_names() {
  std::vector<std::string> names;
  for (const auto& sampler : samplers) names.emplace_back(sampler.name);
  return names;
}

SamplerChoice parse_sampler(std::string_view sampler, std::string_view schedule) {
  SamplerChoice choice{"", parse_schedule(schedule)};
  std::string wanted = normalized(sampler);
  if (sampler.empty()) return choice;
  if (wanted.ends_with("karras")) {
    wanted.resize(wanted.size() - std::string_view("karras").size());
    choice.karras = true;
  }
  const auto found =
      std::ranges::find_if(samplers, [&](const auto& entry) { return answers_to(entry, wanted); });
  if (found == samplers.end()) throw_unknown(sampler);
  if (choice.karras) require_karras(*found);
  choice.sampler = found->name;
  return choice;
}

std::unique_ptr<Scheduler> make_scheduler(const SchedulerConfig& model_config,
                                          const std::optional<SamplerChoice>& choice) {
  const bool chosen = choice && !choice->sampler.empty();
  const auto& sampler = chosen ? find_name(choice->sampler) : find_class(model_config.class_name);
  auto config = config_for_class(model_config, sampler.class_name);
  if (choice && choice->karras) {
    require_karras(sampler);
    config.use_karras_sigmas = true;
  }
  return sampler.make(config);
}

}  // namespace w2w
