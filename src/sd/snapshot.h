#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace w2w {

/// "organisation/name" where `folder` is a snapshot in a Hugging Face cache; empty for other folders.
std::string hub_id_of(const std::filesystem::path& folder);

/// Error(not_found) naming what a model's snapshot lacks of `parts` ("unet", ...), and the command that
/// fetches it. Other folders are left alone.
void check_snapshot(const std::filesystem::path& folder, const std::vector<std::string>& parts);

}  // namespace w2w
