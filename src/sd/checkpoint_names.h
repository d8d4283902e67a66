#pragma once
// Foreign names of Stable Diffusion's weights. Everywhere else only diffusers' present names exist.

#include <filesystem>
#include <string>

#include "w2w/io/tensor_file.h"
#include "w2w/sd/config.h"

namespace w2w {

/// Older spellings of "vae" and "text_encoder": without or with "text_model.", position_ids dropped,
/// query/key/value/proj_attn.
TensorMap canonical_names(const TensorMap& tensors, const std::string& part);

/// The tensors of a file under their names without a wrapping "state_dict.".
TensorMap without_wrapping(const TensorMap& tensors);

/// The weights of a single-file checkpoint (CompVis' latent diffusion names), without a wrapping
/// "state_dict.". The averaged weights of a UNet (model_ema.*) stand for it where the file has no others.
/// Error(malformed) when it is of another kind of model, or lacks one of the parts whose `needed` is true.
struct NeededParts {
  bool vae = true, text_encoder = true;
};
TensorMap ldm_tensors(const TensorMap& tensors, const std::filesystem::path& path, NeededParts needed);

/// One part of such a checkpoint under diffusers' names.
TensorMap ldm_part(const TensorMap& tensors, const std::string& part, const UNetConfig& config);

/// A VAE that stands alone, under latent diffusion's names or diffusers', under diffusers' names; without
/// what its training left (its loss, averages).
TensorMap diffusers_vae(const TensorMap& tensors, const VaeConfig& config);

}  // namespace w2w
