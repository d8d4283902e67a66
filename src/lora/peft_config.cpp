#include "peft_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "io/json_file.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

using json = nlohmann::ordered_json;  // the first pattern that matches counts

PeftPattern pattern_of(const json& config, const char* name, const std::string& where) {
  if (!config.contains(name)) return {};
  std::vector<std::pair<std::string, double>> entries;
  for (const auto& [expression, value] : config[name].get_ref<const json::object_t&>())
    entries.emplace_back(expression, value.get<double>());
  return {entries, where};
}

/// The shortest name PEFT accepts as a target: the last one, with the one before it for "to_out.0".
std::string target_name(const std::string& module) {
  auto at = module.rfind('.');
  const bool number =
      at != std::string::npos && std::all_of(module.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                                             module.end(), [](unsigned char c) { return std::isdigit(c); });
  if (number && at > 0) at = module.rfind('.', at - 1);
  return module.substr(at + 1);
}

}  // namespace

PeftConfig::PeftConfig(const std::string& text, const std::string& where, const std::string& part)
    : where_(where) {
  try {
    const auto all = parse_json<json>(text);
    if (!all.is_object()) {
      throw Error(ErrorKind::malformed,
                  fmt::format("{} is not a LoRA configuration: expected an object, found {}", where,
                              all.type_name()));
    }
    json config = json::object();
    for (const auto& [key, value] : all.items()) {
      const auto own = part + ".";
      if (!value.is_null()) config[key.starts_with(own) ? key.substr(own.size()) : key] = value;
    }
    if (config.value("peft_type", "LORA") != "LORA" || config.value("use_dora", false)) {
      throw Error(ErrorKind::malformed, fmt::format("{}: expected plain LoRA, found peft_type {}{}", where,
                                                    config.value("peft_type", "LORA"),
                                                    config.value("use_dora", false) ? " with use_dora" : ""));
    }
    alpha_ = config.value("lora_alpha", alpha_);
    rank_ = config.value("r", rank_);
    rslora_ = config.value("use_rslora", false);
    alpha_pattern_ = pattern_of(config, "alpha_pattern", where);
    rank_pattern_ = pattern_of(config, "rank_pattern", where);
  } catch (const json::exception& error) {
    throw Error(ErrorKind::malformed,
                fmt::format("{} is not a LoRA configuration: {}", where, json_reason(error)));
  }
}

double PeftConfig::scale(const std::string& module, int64_t rank) const {
  const auto expected = rank_pattern_.value_of(module, rank_);
  if (static_cast<double>(rank) != expected) {
    throw Error(ErrorKind::malformed, fmt::format("{}: expected rank {} for {}, found factors of rank {}",
                                                  where_, expected, module, rank));
  }
  return scale_of_any_rank(module, rank);
}

double PeftConfig::scale_of_any_rank(const std::string& module, int64_t rank) const {
  const auto r = static_cast<double>(rank);
  return alpha_pattern_.value_of(module, alpha_) / (rslora_ ? std::sqrt(r) : r);
}

std::string PeftConfig::write(const Lora& lora) {
  const auto& first = lora.begin()->second;
  std::set<std::string> targets;
  json ranks = json::object(), alphas = json::object();
  for (const auto& [module, factors] : lora) {
    targets.insert(target_name(module));
    if (factors.rank() != first.rank() || factors.scale != first.scale) {
      ranks[module] = factors.rank();
      alphas[module] = factors.scale * static_cast<double>(factors.rank());
    }
  }
  const double alpha = first.scale * static_cast<double>(first.rank());
  json config = {
      {"peft_type", "LORA"},        {"task_type", nullptr},      {"base_model_name_or_path", nullptr},
      {"inference_mode", true},     {"r", first.rank()},         {"lora_alpha", alpha},
      {"use_rslora", false},        {"use_dora", false},         {"rank_pattern", ranks},
      {"alpha_pattern", alphas},    {"target_modules", targets}, {"bias", "none"},
      {"fan_in_fan_out", false},    {"init_lora_weights", true}, {"lora_dropout", 0.0},
      {"modules_to_save", nullptr},
  };
  if (alpha == std::floor(alpha)) config["lora_alpha"] = static_cast<int64_t>(alpha);
  return config.dump(2) + "\n";
}

}  // namespace w2w
