#pragma once
#include <optional>
#include <string>

#include "w2w/io/tensor_file.h"

namespace w2w {

struct ForeignLora {
  std::string what;  ///< "an SDXL LoRA"
  std::string hint;  ///< the next step
};

/// What a file that is taken for a LoRA of Stable Diffusion 1.x or 2.x is instead, from names and shapes
/// alone.
std::optional<ForeignLora> foreign_lora(const TensorMap& tensors);

}  // namespace w2w
