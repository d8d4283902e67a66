#pragma once
// The names that Stable Diffusion's first code base (CompVis' latent diffusion) gave its weights, which
// single-file checkpoints keep. One table serves both directions.

#include <string>
#include <utility>
#include <vector>

#include "w2w/sd/config.h"

namespace w2w {

/// Beginnings of names, as (single file, diffusers). No beginning is one of another; names that begin with
/// none are spelt alike on both sides.
using NamePairs = std::vector<std::pair<std::string, std::string>>;

NamePairs ldm_unet_names(const UNetConfig& config);
/// Every weight that a UNet may have under a single file's name, and some that none has.
std::vector<std::string> ldm_unet_weights(const UNetConfig& config);
NamePairs ldm_vae_names(const VaeConfig& config);

/// `name` with its beginning replaced, to diffusers' or to the single file's spelling.
std::string from_ldm(const std::string& name, const NamePairs& pairs);
std::string to_ldm(const std::string& name, const NamePairs& pairs);

inline constexpr const char* ldm_unet_prefix = "model.diffusion_model.";
inline constexpr const char* ldm_vae_prefix = "first_stage_model.";
inline constexpr const char* ldm_text_prefix = "cond_stage_model.transformer.";

}  // namespace w2w
