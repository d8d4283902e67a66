#pragma once
#include <filesystem>
#include <vector>

#include "cli/commands/train/options.h"
#include "cli/terminal/reporter.h"
#include "w2w/engine/training_run.h"

namespace w2w::cli {

/// Where they are, or will be.
std::filesystem::path class_folder(const TrainOptions& options);

/// The pictures of DreamBooth's prior preservation: those in the options' folder, and as many more as are
/// missing, which the model draws (guidance 7.5, 50 steps, as diffusers' script does; seed I for class-I.png)
/// and which are reported. With Error(interrupted) those that were drawn stay.
std::vector<std::filesystem::path> make_class_pictures(const TrainOptions& options, Trainer& trainer,
                                                       Reporter& reporter);

}  // namespace w2w::cli
