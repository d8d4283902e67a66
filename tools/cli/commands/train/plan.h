#pragma once
// Who is trained from which pictures, and where the results go: settled before any model is loaded.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands/train/options.h"
#include "cli/files/people_list.h"

namespace w2w::cli {

struct PromptedPicture {
  std::filesystem::path image;
  std::string prompt;  ///< empty: the run's
};

/// One person to train, and the outputs.
struct TrainingTask {
  std::string name;
  std::vector<PromptedPicture> pictures;
  std::optional<std::filesystem::path> start;  ///< a LoRA in place of random factors
  OutputPath lora, losses;
  std::filesystem::path checkpoint;
};

/// The people that are not finished yet. Errors: not_found and malformed for pictures and tables; failure for
/// outputs that exist (of a single person, without --force) or cannot be written.
std::vector<TrainingTask> plan_trainings(const TrainOptions& options, const Run& run);

/// All of them, finished or not. The same errors of pictures and tables; nothing is made.
std::vector<ListedPerson> list_trainings(const TrainOptions& options, const Run& run);

/// The pictures in a folder, sorted by name: what is named or begins like one. Others are told of, hidden
/// ones are not.
std::vector<std::filesystem::path> pictures_in(const std::filesystem::path& folder, const Run& run);

}  // namespace w2w::cli
