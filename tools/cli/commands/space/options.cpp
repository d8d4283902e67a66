#include "cli/commands/space/options.h"

#include <fmt/format.h>

#include "cli/files/locate.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/atomic_folder.h"
#include "w2w/base/error.h"

namespace w2w::cli {

namespace fs = std::filesystem;

OutputPath plan_space_folder(const SpaceOptions& options, const Run& run) {
  if (!options.shared.output || options.shared.output->empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("space {} needs -o, the folder of the new space", options.action),
                "w2w space " + options.action + " SOURCE -o FOLDER");
  }
  fs::path folder = *options.shared.output;
  if (!folder.has_filename()) folder = folder.parent_path();
  std::error_code error;
  const auto refuse = [&](const std::string& what, const std::string& hint) {
    throw Error(ErrorKind::failure, fmt::format("{} ({})", what, folder.string()), hint);
  };
  const auto above = folder.parent_path();
  remove_leftovers(above, run);
  check_file_name(folder.string() + ".building");
  if (fs::exists(folder, error)) {
    if (!fs::is_directory(folder)) refuse("the output is a file, expected a folder", "choose another -o");
    const bool is_space = fs::exists(folder / "space.json", error);
    if (!fs::is_empty(folder, error) && !(options.shared.force && is_space)) {
      refuse("the output exists already", is_space ? "pass --force to replace it, or choose another -o"
                                                   : "--force replaces spaces only; choose another -o");
    }
  }
  if (!above.empty()) fs::create_directories(above, error);
  if (error) refuse("cannot make the output folder", error.message());
  return {folder, options.shared.force};
}

fs::path space_folder(const SpaceOptions& options, const Run& run) {
  const auto& arguments = options.arguments;
  if (arguments.size() > 1) {
    throw Error(ErrorKind::usage,
                fmt::format("unexpected argument '{}' of `w2w space {}`", arguments[1], options.action),
                "see `w2w help space " + options.action + "`");
  }
  return arguments.empty() ? locate_space(options.shared.space, run) : fs::path(arguments.front());
}

SpaceDefaults with_options(SpaceDefaults defaults, const SpaceOptions& options) {
  defaults.prompt = options.prompt.value_or(defaults.prompt);
  defaults.negative_prompt = options.negative_prompt.value_or(defaults.negative_prompt);
  defaults.cfg_scale = options.cfg_scale.value_or(defaults.cfg_scale);
  defaults.steps = options.steps.value_or(defaults.steps);
  defaults.spread = options.spread.value_or(defaults.spread);
  defaults.width = options.width.value_or(defaults.width);
  defaults.height = options.height.value_or(defaults.height);
  return defaults;
}

}  // namespace w2w::cli
