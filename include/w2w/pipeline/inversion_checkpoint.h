#pragma once
// The state of an unfinished inversion on disk.

#include <filesystem>
#include <string>

#include "w2w/pipeline/inversion.h"
#include "w2w/pipeline/run_checkpoint.h"

namespace w2w {

/// Without the pictures, which differ from person to person and whose PictureHash belongs under "pictures",
/// how they are resized, and the precision asked for. The number of steps is part of it only where steps
/// depend on it, so that a finished run can go on for longer.
RunDescription describe_run(const InversionOptions& options, const Space& space, const TextToImage& model);

void write_inversion_checkpoint(const std::filesystem::path& path, const InversionState& state,
                                const RunDescription& run);

/// Of a run with so many components. Errors of RunCheckpoint.
InversionState read_inversion_checkpoint(const std::filesystem::path& path, const RunDescription& run,
                                         int64_t components);

}  // namespace w2w
