#pragma once
#include <filesystem>

#include "w2w/space/space.h"

namespace w2w {

/// A w2w space folder: space.json, basis.safetensors and, if there, projections.safetensors.
SpaceData read_compact_space(const std::filesystem::path& folder, const Targets* linears);

/// The released folder: V.pt, mean.pt, std.pt and, if there, the widest proj_*pc.pt. It names no modules, so
/// the layout is that of the model's attention_targets, if given.
SpaceData read_released_space(const std::filesystem::path& folder, const Targets* linears);

}  // namespace w2w
