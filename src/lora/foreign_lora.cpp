#include "foreign_lora.h"

#include <algorithm>
#include <array>

namespace w2w {
namespace {

struct Sign {
  const char* part;  ///< of a tensor's name
  ForeignLora kind;
};

const std::string other_model = "w2w draws with models of Stable Diffusion 1.x and 2.x";
const std::string other_algebra = "only plain LoRA is read, W + scale B A: convert it where it was made";

/// The first sign that any tensor shows counts.
const std::array signs = {
    Sign{"hada_w", {"a LoHa (LyCORIS)", other_algebra}},
    Sign{"lokr_w", {"a LoKr (LyCORIS)", other_algebra}},
    Sign{"dora_scale", {"a DoRA", other_algebra}},
    Sign{"lora_magnitude_vector", {"a DoRA", other_algebra}},
    Sign{"double_blocks", {"a Flux LoRA", other_model}},
    Sign{"single_transformer_blocks", {"a Flux LoRA", other_model}},
    Sign{"single_blocks", {"a Flux LoRA", other_model}},
    Sign{"joint_blocks", {"a Stable Diffusion 3 LoRA", other_model}},
    Sign{"lora_te2_", {"an SDXL LoRA", other_model}},
    Sign{"text_encoder_2.", {"an SDXL LoRA", other_model}},
    Sign{"transformer_blocks.9.", {"an SDXL LoRA", other_model}},
    Sign{"transformer_blocks_9_", {"an SDXL LoRA", other_model}},
    Sign{"emb_params", {"an embedding of textual inversion", "it is a word for the prompt, no LoRA"}},
    Sign{"string_to_param", {"an embedding of textual inversion", "it is a word for the prompt, no LoRA"}},
    Sign{"clip_g", {"an embedding of textual inversion for SDXL", other_model}},
    Sign{"model.diffusion_model.input_blocks.0.0.weight", {"a whole model", "give it as the model (-m)"}},
};

/// As diffusers saves them: one tensor, of the width of a text encoder, under the word's name.
bool is_embedding(const TensorMap& tensors) {
  if (tensors.size() != 1 || tensors.begin()->second.dim() < 1 || tensors.begin()->second.dim() > 2)
    return false;
  const auto width = tensors.begin()->second.size(-1);
  const auto& name = tensors.begin()->first;
  const bool fits = width == 768 || width == 1024 || width == 1280;
  return fits && !name.empty() && name != "coefficients" && name.find('.') == std::string::npos;
}

}  // namespace

std::optional<ForeignLora> foreign_lora(const TensorMap& tensors) {
  for (const auto& sign : signs) {
    const auto shows = [&](const auto& entry) { return entry.first.find(sign.part) != std::string::npos; };
    if (std::any_of(tensors.begin(), tensors.end(), shows)) return sign.kind;
  }
  if (is_embedding(tensors))
    return ForeignLora{"an embedding of textual inversion", "it is a word for the prompt, no LoRA"};
  return {};
}

}  // namespace w2w
