#pragma once
// The state of a person in training on disk.

#include <filesystem>
#include <string>

#include "w2w/pipeline/dreambooth.h"
#include "w2w/pipeline/run_checkpoint.h"

namespace w2w {

/// Without the person's pictures and the class pictures, whose PictureHash belongs under "pictures" and
/// "class pictures", how they are resized, and the precision asked for. The number of steps is part of it
/// only where steps depend on it.
RunDescription describe_run(const DreamboothOptions& options, const TextToImage& model);

void write_training_checkpoint(const std::filesystem::path& path, const TrainingState& state,
                               const RunDescription& run);

/// What a state belongs to.
struct TrainingExtent {
  int64_t parameters = 0;  ///< of a person's factors
  int64_t pictures = 0, class_pictures = 0;
};

/// Errors of RunCheckpoint.
TrainingState read_training_checkpoint(const std::filesystem::path& path, const RunDescription& run,
                                       const TrainingExtent& extent);

}  // namespace w2w
