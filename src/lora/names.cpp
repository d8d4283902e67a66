#include "names.h"

#include <algorithm>
#include <iterator>

#include "ldm_modules.h"
#include "w2w/base/nearest_name.h"

namespace w2w {
namespace {

/// PREFIX module DOWN|UP .weight, or PREFIX module .alpha. Adapter names (".default", ".identity1") may stand
/// before ".weight".
struct Spelling {
  LoraFormat format;
  std::string_view prefix, down, up;
  bool underscores;  ///< the module's dots are written as underscores
};

// The first row of a format is the one written; the more specific prefixes come first.
constexpr Spelling spellings[] = {
    {LoraFormat::kohya, "lora_unet_", ".lora_down", ".lora_up", true},
    {LoraFormat::peft, "base_model.model.", ".lora_A", ".lora_B", false},
    {LoraFormat::diffusers, "unet.", ".lora_A", ".lora_B", false},
    {LoraFormat::diffusers, "unet.", ".lora.down", ".lora.up", false},  // diffusers before its PEFT backend
    {LoraFormat::diffusers, "diffusion_model.", ".lora_A", ".lora_B", false},  // latent diffusion's modules
    {LoraFormat::diffusers, "diffusion_model.", ".lora_down", ".lora_up", false},
    {LoraFormat::diffusers, "", ".lora_A", ".lora_B", false},      // UNet2DConditionModel.save_lora_adapter
    {LoraFormat::diffusers, "", ".lora.down", ".lora.up", false},  // UNet2DConditionModel.save_attn_procs
};
constexpr std::string_view weight = ".weight", alpha = ".alpha";

std::string with_underscores(std::string module) {
  std::replace(module.begin(), module.end(), '.', '_');
  return module;
}

/// The attention processors of early diffusers: "X.processor.to_q_lora.down.weight" is
/// "X.to_q.lora.down.weight".
std::string without_processor(const std::string& key) {
  constexpr std::string_view processor = ".processor.", lora = "_lora.";
  const auto at = key.find(processor);
  const auto end = at == std::string::npos ? at : key.find(lora, at);
  if (end == std::string::npos) return key;
  auto layer = key.substr(at + processor.size(), end - at - processor.size());
  if (layer == "to_out") layer = "to_out.0";
  return key.substr(0, at) + "." + layer + ".lora." + key.substr(end + lora.size());
}

/// "module" from "module MARKER [.adapter] .weight".
std::optional<std::string> strip_marker(std::string_view text, std::string_view marker) {
  const auto at = text.rfind(marker);
  if (at == std::string_view::npos || !text.ends_with(weight)) return {};
  const auto adapter = text.substr(at + marker.size(), text.size() - weight.size() - at - marker.size());
  const bool fits = adapter.empty() || (adapter.size() > 1 && adapter[0] == '.' && adapter.rfind('.') == 0);
  return fits ? std::optional(std::string(text.substr(0, at))) : std::nullopt;
}

}  // namespace

std::string lora_key(LoraFormat format, const std::string& module, LoraPart part) {
  const auto& row = *std::find_if(std::begin(spellings), std::end(spellings),
                                  [&](const Spelling& s) { return s.format == format; });
  const auto name = std::string(row.prefix) + (row.underscores ? with_underscores(module) : module);
  if (part == LoraPart::alpha) return name + std::string(alpha);
  return name + std::string(part == LoraPart::down ? row.down : row.up) + std::string(weight);
}

LoraKeyReader::LoraKeyReader(const Targets& modules) {
  for (const auto& target : modules) {
    dotted_[target.module] = target.module;
    underscored_[with_underscores(target.module)] = target.module;
    modules_.push_back(target.module);
  }
  for (const auto& [name, module] : ldm_modules(modules)) {
    dotted_.emplace(name, module);
    underscored_.emplace(with_underscores(name), module);
  }
}

std::optional<LoraKey> LoraKeyReader::read(const std::string& raw_key) const {
  const auto key = without_processor(raw_key);
  for (const auto& row : spellings) {
    if (!key.starts_with(row.prefix)) continue;
    const auto rest = std::string_view(key).substr(row.prefix.size());
    const auto& modules = row.underscores ? underscored_ : dotted_;
    const auto found = [&](const std::optional<std::string>& name, LoraPart part) -> std::optional<LoraKey> {
      const auto module = name ? modules.find(*name) : modules.end();
      if (module == modules.end()) return {};
      return LoraKey{row.format, module->second, part};
    };
    if (auto read = found(strip_marker(rest, row.down), LoraPart::down)) return read;
    if (auto read = found(strip_marker(rest, row.up), LoraPart::up)) return read;
    if (rest.ends_with(alpha)) {
      if (auto read = found(std::string(rest.substr(0, rest.size() - alpha.size())), LoraPart::alpha))
        return read;
    }
  }
  return {};
}

std::optional<LoraKey> LoraKeyReader::read_other(const std::string& raw_key) {
  const auto key = without_processor(raw_key);
  for (const auto& row : spellings) {
    // All others of the text encoder, whose names begin otherwise, are spelt as the UNet's.
    if (row.format == LoraFormat::peft && !key.starts_with(row.prefix)) continue;
    if (auto name = strip_marker(key, row.down)) return LoraKey{row.format, *name, LoraPart::down};
    if (auto name = strip_marker(key, row.up)) return LoraKey{row.format, *name, LoraPart::up};
  }
  if (!key.ends_with(alpha)) return {};
  return LoraKey{LoraFormat::kohya, key.substr(0, key.size() - alpha.size()), LoraPart::alpha};
}

std::string LoraKeyReader::hint(const std::string& raw_key) const {
  const auto key = without_processor(raw_key);
  if (key.starts_with("lora_te") || key.starts_with("text_encoder")) {
    return "it also changes the text encoder; only changes of the UNet can be used";
  }
  for (const auto& row : spellings) {
    if (!key.starts_with(row.prefix)) continue;
    const auto rest = std::string_view(key).substr(row.prefix.size());
    for (const auto marker : {row.down, row.up}) {
      const auto name = strip_marker(rest, marker);
      if (!name) continue;
      auto names = modules_;
      if (row.underscores) std::transform(names.begin(), names.end(), names.begin(), with_underscores);
      return "the model has no such layer to change; " + suggest(*name, names, 4);
    }
  }
  return "expected pairs of low-rank factors, such as " +
         lora_key(LoraFormat::kohya, modules_.empty() ? "mid_block" : modules_.front(), LoraPart::down);
}

}  // namespace w2w
