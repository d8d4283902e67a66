#pragma once
#include <filesystem>
#include <string>

#include "w2w/sd/model_parts.h"

namespace w2w {

/// `part`: "vae" or "text_encoder", at one of the places that ModelParts speaks of. Error(not_found) or
/// Error(malformed) where there is none.
PartFile open_part(const std::filesystem::path& path, const std::string& part);

}  // namespace w2w
