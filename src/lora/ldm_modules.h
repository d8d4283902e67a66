#pragma once
#include <map>
#include <string>

#include "w2w/lora/target.h"

namespace w2w {

/// Modules by the names of Stable Diffusion's first code base (CompVis' latent diffusion):
/// "input_blocks.1.1.transformer_blocks.0.attn1.to_q". Those that it spells alike are left out.
std::map<std::string, std::string> ldm_modules(const Targets& modules);

}  // namespace w2w
