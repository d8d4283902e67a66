#pragma once
// Foreign names of Stable Diffusion's weights. Everywhere else only diffusers' present names exist.

#include <filesystem>
#include <string>

#include "w2w/io/tensor_file.h"
#include "w2w/sd/config.h"

namespace w2w {

/// Older spellings of "vae" and "text_encoder": without or with "text_model.", position_ids dropped,
/// query/key/value/proj_attn.
TensorMap canonical_names(TensorMap tensors, const std::string& part);

/// The weights of a single-file checkpoint (CompVis' latent diffusion names), without a wrapping
/// "state_dict.". Error(malformed) when it holds no UNet or is of another kind of model.
TensorMap ldm_tensors(TensorMap tensors, const std::filesystem::path& path);

/// One part of such a checkpoint under diffusers' names.
TensorMap ldm_part(const TensorMap& tensors, const std::string& part, const UNetConfig& config);

}  // namespace w2w
