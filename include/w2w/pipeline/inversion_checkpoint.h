#pragma once
// The state of an unfinished inversion on disk: safetensors with the tensors of InversionState and, as
// metadata, what the run was started with.

#include <filesystem>
#include <map>
#include <string>

#include "w2w/pipeline/inversion.h"

namespace w2w {

/// What must be the same for a run to go on, by name: options, space, model and, under "pictures", their
/// hash.
using RunDescription = std::map<std::string, std::string>;

/// Without the pictures, which differ from person to person. The number of steps is part of it only where
/// steps depend on it, so that a finished run can go on for longer.
RunDescription describe_run(const InversionOptions& options, const Space& space, TextToImage& model);

/// SHA-256 over the values of pictures and masks.
std::string hash_of(const std::vector<InversionPicture>& pictures);

void write_inversion_checkpoint(const std::filesystem::path& path, const InversionState& state,
                                const RunDescription& run);

/// Error(not_found) without the file; Error(malformed) when it is not a checkpoint; Error(failure), naming
/// what differs, when it is one of another run.
InversionState read_inversion_checkpoint(const std::filesystem::path& path, const RunDescription& run);

}  // namespace w2w
