#pragma once
// PEFT's LoraConfig, as far as it decides the scale of the factors.

#include <filesystem>
#include <optional>
#include <string>

#include "peft_pattern.h"
#include "w2w/lora/factors.h"

namespace w2w {

class PeftConfig {
 public:
  /// `json`: adapter_config.json, or diffusers' lora_adapter_metadata, whose names may start with "unet." or
  /// "text_encoder.": those of `part` count. `where` is for errors. Error(malformed) when it does not parse
  /// or asks for something other than plain LoRA.
  PeftConfig(const std::string& json, const std::string& where, const std::string& part = "unet");

  /// alpha / rank, or alpha / sqrt(rank) with use_rslora. Error(malformed) when `rank` is not the configured
  /// one.
  double scale(const std::string& module, int64_t rank) const;
  /// As scale, with whatever rank there is.
  double scale_of_any_rank(const std::string& module, int64_t rank) const;

  /// The text of an adapter_config.json for `lora`, whose factors are stored divided by lora_alpha / r.
  static std::string write(const Lora& lora);

 private:
  std::string where_;
  double alpha_ = 8, rank_ = 8;  // PEFT's defaults
  bool rslora_ = false;
  PeftPattern alpha_pattern_, rank_pattern_;
};

}  // namespace w2w
