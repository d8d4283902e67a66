#pragma once
// A person baked into a whole model on disk: W' = W + scale B A in each matrix that the LoRA changes,
// computed in f32 and rounded once to the dtype of the file. Every other tensor keeps its bytes, and memory
// is needed for the changed matrices only, since weights are views of the source's files. With a `dtype` all
// weights are rounded to it.

#include <filesystem>
#include <optional>

#include "w2w/base/output_path.h"
#include "w2w/base/run.h"
#include "w2w/lora/factors.h"
#include "w2w/sd/checkpoint.h"

namespace w2w {

/// Writes a diffusers folder: all files of a source folder, its weights as one safetensors file a part,
/// whatever form they had; of a single-file checkpoint (Stable Diffusion 1.x) configurations, scheduler and
/// CLIP's own tokenizer are made. Parts that model_index.json names and the source lacks (a safety checker
/// that was not fetched) are struck from it. `folder` appears whole or not at all.
/// Error(failure) when `lora` changes what the UNet does not have.
void merge_into_folder(const Checkpoint& model, const Lora& lora, std::optional<at::ScalarType> dtype,
                       const OutputPath& folder, const Run& run = {});

/// Writes a single-file checkpoint under the names of Stable Diffusion 1.x, with the further tensors of a
/// source that is one.
void merge_into_file(const Checkpoint& model, const Lora& lora, std::optional<at::ScalarType> dtype,
                     const OutputPath& file, const Metadata& metadata, const Run& run = {});

/// Error(failure), naming the difference, unless `model` is built as Stable Diffusion 1.x: single files have
/// names for no other.
void check_single_file_names(const Checkpoint& model);

}  // namespace w2w
