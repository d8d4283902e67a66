#pragma once
// Diffusers folders, written. With a `dtype` all weights are rounded to it.

#include <filesystem>
#include <optional>

#include "w2w/base/run.h"
#include "w2w/sd/checkpoint.h"

namespace w2w {

/// Everything of the diffusers folder that `model` is into `folder`: the weights of each part as one
/// safetensors file without variant, those of the UNet named in `changed` replaced; all other files copied,
/// except weights of further kinds. Parts of model_index.json without a folder are struck from it.
void copy_model_folder(const Checkpoint& model, const TensorMap& changed, std::optional<at::ScalarType> dtype,
                       const std::filesystem::path& folder, const Run& run);

/// A single-file checkpoint of Stable Diffusion 1.x as a diffusers folder: its weights, and the
/// configurations, scheduler and tokenizer that all such models share.
void write_builtin_folder(const Checkpoint& model, const TensorMap& changed,
                          std::optional<at::ScalarType> dtype, const std::filesystem::path& folder,
                          const Run& run);

/// config.json of "unet", "vae" or "text_encoder" from what is known of it.
void write_builtin_config(const Checkpoint& model, const std::string& part,
                          const std::filesystem::path& folder);

/// The tensors of a part as diffusers and every version of transformers know them.
TensorMap saved_part(const Checkpoint& model, const std::string& part);

/// Weights rounded to `dtype`, if there is one; what is not floating point stays.
TensorMap in_dtype(TensorMap tensors, std::optional<at::ScalarType> dtype);

}  // namespace w2w
