#include "cli/files/output_folder.h"

#include <fmt/format.h>

#include "w2w/base/atomic_file.h"
#include "w2w/base/atomic_folder.h"
#include "w2w/base/error.h"

namespace w2w::cli {

namespace fs = std::filesystem;

OutputPath plan_output_folder(fs::path folder, const FolderKind& kind, bool replace, bool leave,
                              const Run& run) {
  if (!folder.has_filename()) folder = folder.parent_path();
  const auto refuse = [&](const std::string& what, const std::string& hint) {
    throw Error(ErrorKind::failure, fmt::format("{} ({})", what, folder.string()), hint);
  };
  const auto above = folder.parent_path();
  remove_leftovers(above, run);
  check_file_name(folder);
  std::error_code error;
  if (fs::exists(folder, error)) {
    if (!fs::is_directory(folder)) refuse("the output is a file, expected a folder", "choose another -o");
    const bool is_kind = fs::exists(folder / kind.marker, error);
    if (!fs::is_empty(folder, error) && !((replace || leave) && is_kind)) {
      refuse("the output exists already",
             is_kind ? "pass --force to replace it, or choose another -o"
                     : fmt::format("--force replaces {}s only; choose another -o", kind.name));
    }
  }
  if (!above.empty()) fs::create_directories(above, error);
  if (error) refuse("cannot make the output folder", error.message());
  return {folder, replace};
}

}  // namespace w2w::cli
