#pragma once
// The state of a person in training on disk.

#include <filesystem>
#include <string>

#include "w2w/pipeline/dreambooth.h"
#include "w2w/pipeline/run_checkpoint.h"

namespace w2w {

/// Without the person's pictures and the class pictures, whose hashes belong under "pictures" and "class
/// pictures". The number of steps is part of it only where steps depend on it.
RunDescription describe_run(const DreamboothOptions& options, const TextToImage& model);

/// SHA-256 over the values of pictures and their prompts.
std::string hash_of(const std::vector<TrainingPicture>& pictures);

void write_training_checkpoint(const std::filesystem::path& path, const TrainingState& state,
                               const RunDescription& run);

/// Errors of RunCheckpoint.
TrainingState read_training_checkpoint(const std::filesystem::path& path, const RunDescription& run);

}  // namespace w2w
