#pragma once
// Outputs that are whole folders: a merged model, a space.

#include <filesystem>
#include <string>

#include "w2w/base/output_path.h"
#include "w2w/base/run.h"

namespace w2w::cli {

struct FolderKind {
  const char* name;    ///< "model"
  const char* marker;  ///< the file that tells such a folder: "model_index.json"
};

/// `folder` as an output, its parent made. A folder that exists must be empty, or be of that kind and to be
/// replaced (`replace`) or left as it is (`leave`): otherwise Error(failure), as where nothing can be made.
OutputPath plan_output_folder(std::filesystem::path folder, const FolderKind& kind, bool replace, bool leave,
                              const Run& run);

}  // namespace w2w::cli
