#pragma once
// The state of an unfinished inversion on disk.

#include <filesystem>
#include <string>

#include "w2w/pipeline/inversion.h"
#include "w2w/pipeline/run_checkpoint.h"

namespace w2w {

/// Without the pictures, which differ from person to person and whose hash belongs under "pictures". The
/// number of steps is part of it only where steps depend on it, so that a finished run can go on for longer.
RunDescription describe_run(const InversionOptions& options, const Space& space, const TextToImage& model);

/// SHA-256 over the values of pictures and masks.
std::string hash_of(const std::vector<InversionPicture>& pictures);

void write_inversion_checkpoint(const std::filesystem::path& path, const InversionState& state,
                                const RunDescription& run);

/// Errors of RunCheckpoint.
InversionState read_inversion_checkpoint(const std::filesystem::path& path, const RunDescription& run);

}  // namespace w2w
