#pragma once
#include <filesystem>

#include "w2w/space/space.h"

namespace w2w {

/// A w2w space folder: space.json, basis.safetensors and, if there, projections.safetensors.
SpaceData read_compact_space(const std::filesystem::path& folder);

/// The released folder: V.pt, mean.pt, std.pt and, if there, the widest proj_*pc.pt. It names no modules.
SpaceData read_released_space(const std::filesystem::path& folder);

/// Its files one by one: mean.pt or std.pt as f32 [P], also from a row or column; V.pt as a view [k, P], from
/// either orientation where P is known (not 0); proj_*pc.pt as a view [n, k], from its transpose where the
/// number in its name says so. Error(malformed) for anything else, Error(not_found).
at::Tensor read_released_vector(const std::filesystem::path& path);
at::Tensor read_released_components(const std::filesystem::path& path, int64_t parameters);
at::Tensor read_released_projections(const std::filesystem::path& path);

}  // namespace w2w
