#pragma once
#include <filesystem>

#include "w2w/schedulers/scheduler_config.h"

namespace w2w {

/// scheduler_config.json as StableDiffusionPipeline uses it (outdated values amended); Stable Diffusion 1.5's
/// own for an empty path. Error(malformed) naming the field that does not fit.
SchedulerConfig read_scheduler_config(const std::filesystem::path& path, const Run& run = {});

}  // namespace w2w
