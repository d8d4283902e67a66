#pragma once
// Files and folders that are taken for models of Stable Diffusion 1.x and are something else: named from
// names and shapes alone, before any weight is read.

#include <filesystem>
#include <optional>
#include <string>

#include "w2w/io/tensor_file.h"

namespace w2w {

struct ForeignModel {
  std::string what;  ///< "an SDXL model"
  std::string hint;  ///< the next step
};

/// The tensors of a single file.
std::optional<ForeignModel> foreign_model(const TensorMap& tensors);

/// A diffusers folder, by model_index.json and the number of channels that its UNet takes.
std::optional<ForeignModel> foreign_model_folder(const std::filesystem::path& folder);

}  // namespace w2w
