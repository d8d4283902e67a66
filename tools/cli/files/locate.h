#pragma once
// Where the installed files, the demo world and the Hugging Face cache are.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/options/model_options.h"
#include "w2w/base/run.h"
#include "w2w/sd/checkpoint.h"

namespace w2w::cli {

/// The folder with the demo world: $W2W_SHARE, ../share/w2w beside the binary's folder, or the source tree's.
/// Error(not_found) with the places looked at.
std::filesystem::path share_folder();

/// HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub and ~/.cache/huggingface/hub, those that are set.
std::vector<std::filesystem::path> hub_caches();

/// The model a user named (path or hub id), or the demo world's, which is said once as a notice.
/// Error(not_found).
std::filesystem::path locate_model(const std::optional<std::string>& model, const Run& run);

/// What a user named to be part of a model (path or hub id).
ModelParts locate_parts(const ModelOptions& options);

/// The model that the options name, opened with its parts.
Checkpoint open_checkpoint(const ModelOptions& options, const Run& run);

/// The space a user named, or the demo world's.
std::filesystem::path locate_space(const std::optional<std::string>& space, const Run& run);

}  // namespace w2w::cli
