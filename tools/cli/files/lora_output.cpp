#include "cli/files/lora_output.h"

#include <fmt/format.h>

#include "cli/options/lora_option.h"
#include "w2w/pipeline/scheduler_file.h"

namespace w2w::cli {

std::string lora_extension(LoraFormat format) { return format == LoraFormat::peft ? "" : ".safetensors"; }

std::string lora_suffix(LoraFormat format) { return "_lora" + lora_extension(format); }

LoraModel lora_model(const Checkpoint* checkpoint, const Space* space) {
  LoraModel model;
  if (checkpoint) {
    const auto& unet = checkpoint->unet_config();
    model.width = model.height = unet.sample_size * checkpoint->vae_config().down_factor();
    model.text_width = unet.cross_attention_dim;
    // Only Stable Diffusion 2 comes in two kinds: of other models this file is not needed here.
    constexpr int64_t stable_diffusion_2 = 1024;
    if (model.text_width == stable_diffusion_2)
      model.prediction = read_scheduler_config(checkpoint->scheduler_config_path()).prediction_type;
  }
  if (space) {
    const auto& defaults = space->data().defaults;
    if (defaults.width > 0) model.width = defaults.width;
    if (defaults.height > 0) model.height = defaults.height;
  }
  return model;
}

std::string fitting_models(const Lora& lora, const LoraModel& model, const std::string& name) {
  const auto size =
      model.width > 0 && model.height > 0 ? fmt::format(" ({}x{})", model.width, model.height) : "";
  switch (family_of(lora, model)) {
    case ModelFamily::stable_diffusion_1:
      return "Stable Diffusion 1.x";
    case ModelFamily::stable_diffusion_2:
      return "Stable Diffusion 2.x";
    case ModelFamily::demo:
      return fmt::format("the demo model only{}, not Stable Diffusion", size);
    case ModelFamily::other:
      break;
  }
  return fmt::format("models like {} only{}, not Stable Diffusion", name.empty() ? "its own" : name, size);
}

void write_lora(const OutputPath& output, LoraFormat format, const Lora& lora, const std::string& name,
                const Identity& identity, const LoraModel& model, bool no_metadata, c10::ScalarType dtype) {
  LoraFileOptions options;
  options.dtype = dtype;
  options.name = name;
  options.trigger = identity.trigger;
  options.model = model;
  options.date = source_date();
  if (!no_metadata) {
    options.metadata = {
        {"w2w.format", "1"}, {"w2w.model", identity.model}, {"w2w.history", identity.history}};
    if (!identity.space_hash.empty()) options.metadata["w2w.space"] = identity.space_hash;
    if (!identity.basis.empty()) options.metadata["w2w.basis"] = identity.basis;
  }
  w2w::write_lora(output, format, lora, options);
}

}  // namespace w2w::cli
