#pragma once
// Which model a LoRA fits, told by the names and shapes of its matrices: what its metadata may claim.

#include <cstdint>
#include <string>

#include "w2w/lora/factors.h"

namespace w2w {

enum class ModelFamily { stable_diffusion_1, stable_diffusion_2, demo, other };

/// What is known of a LoRA's model beyond the shapes of its matrices.
struct LoraModel {
  int64_t width = 0, height = 0;  ///< pixels that it draws where nothing else is asked for; 0: unknown
  int64_t text_width = 0;         ///< of the embeddings that its cross-attention reads; 0: unknown
  std::string prediction = {};    ///< prediction_type of its scheduler; empty: unknown
};

/// The first family, in the order above, that has every layer of the LoRA's in its transformer blocks, and
/// `known.text_width`: only keys and values of cross-attention tell Stable Diffusion 1 from 2.
ModelFamily family_of(const Lora& lora, const LoraModel& known = {});

}  // namespace w2w
