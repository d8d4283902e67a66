#pragma once
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "cli/commands/invert/manifest.h"
#include "cli/commands/invert/options.h"
#include "cli/files/people_list.h"

namespace w2w::cli {

/// A person of a run of `invert` and where the files go.
struct InversionTask {
  InversionJob job;
  OutputPath coefficients, losses;
  std::filesystem::path checkpoint;
  std::optional<OutputPath> lora, sheet;
  std::vector<std::pair<int64_t, OutputPath>> previews;  ///< after that many steps
};

/// All of them, finished or not, with the outputs but previews. The same errors of tables; nothing is made.
std::vector<ListedPerson> list_inversions(const InvertOptions& options, const Run& run);

/// Everybody to invert in `steps` steps, all files named, before any work: of a table those who are not
/// finished. Error(failure) for outputs that exist (of an unfinished run they are replaced) or cannot be
/// written.
std::vector<InversionTask> plan_inversions(const InvertOptions& options, int64_t steps, const Run& run);

}  // namespace w2w::cli
