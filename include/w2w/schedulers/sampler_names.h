#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "w2w/schedulers/scheduler.h"

namespace w2w {

/// A sampler by its canonical name: pndm plms ddim euler euler_ancestral heun lms dpmpp_2m unipc; empty: the
/// model's own.
struct SamplerChoice {
  std::string sampler;
  bool karras = false;
  bool operator==(const SamplerChoice&) const = default;
};

/// Reads any spelling of A1111 ("DPM++ 2M Karras", "Euler a", "PLMS"), ComfyUI ("uni_pc"),
/// stable-diffusion.cpp ("dpm++2m") or diffusers (class names); case and separators do not matter.
/// `schedule`: karras, or empty, automatic, default, normal, discrete. Error(usage) with the nearest name for
/// anything else, and for Karras with a sampler that has none (pndm, ddim, euler_ancestral).
SamplerChoice parse_sampler(std::string_view sampler, std::string_view schedule = {});

/// The canonical names.
std::vector<std::string> sampler_names();

/// Without a choice the model's own class; a choice behaves like diffusers' X.from_config(model_config), with
/// use_karras_sigmas=True if Karras was chosen. Error(malformed) naming a class or a value that is not
/// implemented.
std::unique_ptr<Scheduler> make_scheduler(const SchedulerConfig& model_config,
                                          const std::optional<SamplerChoice>& choice = {});

}  // namespace w2w
