#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "w2w/io/tensor_file.h"

namespace w2w {

/// The tensors of one part of a diffusers folder. Of several files the first that exists is taken:
/// safetensors before .bin, without variant before a variant ("fp16"), whole before shards. Error(not_found)
/// names what was looked for.
TensorMap read_weight_files(const std::filesystem::path& folder, const std::string& part);

/// What read_weight_files would not find: nothing, or the file it looks for first, or shards that an index
/// names.
std::vector<std::string> missing_weight_files(const std::filesystem::path& folder, const std::string& part);

/// The file a part's weights are saved in: "diffusion_pytorch_model.safetensors" or "model.safetensors".
std::string weight_file_name(const std::string& part);

}  // namespace w2w
