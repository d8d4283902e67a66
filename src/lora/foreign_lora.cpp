#include "foreign_lora.h"

#include <algorithm>
#include <array>

#include "io/embedding.h"

namespace w2w {
namespace {

struct Sign {
  const char* part;  ///< of a tensor's name
  ForeignLora kind;
};

const std::string other_model = "w2w supports models of Stable Diffusion 1.x and 2.x";
const std::string other_algebra =
    "w2w reads plain LoRA only, W + scale B A: convert it with the tool that made it";

const ForeignLora embedding = {"an embedding of textual inversion",
                               "an embedding adds a word to the prompt; it is not a LoRA"};

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
    Sign{"emb_params", embedding},
    Sign{"string_to_param", embedding},
    Sign{"clip_g", {"an embedding of textual inversion for SDXL", other_model}},
    Sign{"model.diffusion_model.input_blocks.0.0.weight", {"a whole model", "give it as <model>"}},
};

}  // namespace

std::optional<ForeignLora> foreign_lora(const TensorMap& tensors) {
  for (const auto& sign : signs) {
    const auto shows = [&](const auto& entry) { return entry.first.find(sign.part) != std::string::npos; };
    if (std::any_of(tensors.begin(), tensors.end(), shows)) return sign.kind;
  }
  if (is_embedding(tensors)) return embedding;
  return {};
}

}  // namespace w2w
