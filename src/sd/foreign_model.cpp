#include "sd/foreign_model.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "io/embedding.h"
#include "io/json_file.h"

namespace w2w {
namespace {

const std::string other_architecture = "w2w supports models of Stable Diffusion 1.x and 2.x";

const ForeignModel embedding = {"an embedding of textual inversion", "give the model it was trained with"};
const ForeignModel lora = {"a LoRA, a small change of some model",
                           "give its base model as <model>; <render> draws with the LoRA"};

/// A kind of file that gives itself away by part of a tensor's name.
struct NameSign {
  const char* part;
  bool at_start;
  ForeignModel kind;
};

/// The first sign that any tensor shows counts.
const std::array signs = {
    NameSign{"hada_w1", false, {"a LoHa, a small change of some model", "give the model it changes"}},
    NameSign{"lokr_w1", false, {"a LoKr, a small change of some model", "give the model it changes"}},
    NameSign{"lora_down.weight", false, lora},
    NameSign{"lora_A.", false, lora},
    NameSign{"lora.down.weight", false, lora},
    NameSign{"conditioner.embedders.1.", true, {"an SDXL model", other_architecture}},
    NameSign{"conditioner.", true, {"an SDXL refiner", other_architecture}},
    NameSign{"joint_blocks.", false, {"a Stable Diffusion 3 model", other_architecture}},
    NameSign{"double_blocks.", false, {"a Flux model", other_architecture}},
    NameSign{"single_transformer_blocks.", false, {"a Flux model", other_architecture}},
    NameSign{"control_model.", true, {"a ControlNet", "give the model it steers"}},
    NameSign{"controlnet_cond_embedding.", true, {"a ControlNet", "give the model it steers"}},
    NameSign{"cond_stage_model.model.",
             true,
             {"a single file of Stable Diffusion 2.x, which is read as a diffusers folder only",
              "convert it to a diffusers folder"}},
    NameSign{"emb_params", true, embedding},
    NameSign{"string_to_param", true, embedding},
    NameSign{"coefficients",
             true,
             {"a person's coefficients in a space", "w2w render draws them; give the space's model"}},
};

bool shows(const NameSign& sign, const std::string& name) {
  return sign.at_start ? name.starts_with(sign.part) : name.find(sign.part) != std::string::npos;
}

bool holds_any(const TensorMap& tensors, const std::string& beginning) {
  const auto at = tensors.lower_bound(beginning);
  return at != tensors.end() && at->first.starts_with(beginning);
}

std::optional<ForeignModel> by_input_channels(int64_t channels) {
  if (channels == 9)
    return ForeignModel{"an inpainting model (its UNet takes 9 channels, expected 4)",
                        "give the model without inpainting"};
  if (channels == 8)
    return ForeignModel{"a model for editing pictures by instruction (its UNet takes 8 channels, expected 4)",
                        "give a text-to-image model"};
  if (channels == 5)
    return ForeignModel{"a depth-to-image model (its UNet takes 5 channels, expected 4)",
                        "give a text-to-image model"};
  return {};
}

}  // namespace

std::optional<ForeignModel> foreign_model(const TensorMap& tensors) {
  for (const auto& sign : signs) {
    if (std::any_of(tensors.begin(), tensors.end(),
                    [&](const auto& entry) { return shows(sign, entry.first); }))
      return sign.kind;
  }
  if (is_embedding(tensors)) return embedding;
  const auto first = tensors.find("model.diffusion_model.input_blocks.0.0.weight");
  if (first != tensors.end() && first->second.dim() == 4) return by_input_channels(first->second.size(1));
  if (holds_any(tensors, "model.") || holds_any(tensors, "model_ema.")) return {};
  if (holds_any(tensors, "first_stage_model.") ||
      (holds_any(tensors, "decoder.") && holds_any(tensors, "encoder.")))
    return ForeignModel{"only a VAE", "give the whole model"};
  if (holds_any(tensors, "input_blocks.") || holds_any(tensors, "down_blocks."))
    return ForeignModel{
        "only a UNet",
        "give the whole model: a diffusers folder, or a file that holds VAE and text encoder as well"};
  if (holds_any(tensors, "text_model.")) return ForeignModel{"only a text encoder", "give the whole model"};
  return {};
}

std::optional<ForeignModel> foreign_model_folder(const std::filesystem::path& folder) {
  const auto index = read_json_object(folder / "model_index.json");
  const auto name = index.contains("_class_name") && index["_class_name"].is_string()
                        ? index["_class_name"].get<std::string>()
                        : "";
  const auto begins = [&](const char* start) { return name.starts_with(start); };
  if (begins("StableDiffusionXLImg2Img")) return ForeignModel{"an SDXL refiner", other_architecture};
  if (begins("StableDiffusionXL")) return ForeignModel{"an SDXL model", other_architecture};
  if (begins("StableDiffusion3")) return ForeignModel{"a Stable Diffusion 3 model", other_architecture};
  if (begins("Flux")) return ForeignModel{"a Flux model", other_architecture};
  std::error_code error;
  const auto config = folder / "unet" / "config.json";
  if (!std::filesystem::exists(config, error)) {
    if (name.empty() || begins("StableDiffusion")) return {};
    return ForeignModel{"a model of the class " + name, other_architecture};
  }
  const auto unet = read_json_object(config);
  const auto channels = unet.find("in_channels");
  return channels != unet.end() && channels->is_number_integer() ? by_input_channels(channels->get<int64_t>())
                                                                 : std::nullopt;
}

}  // namespace w2w
