#include "cli/commands/space/options.h"

#include <fmt/format.h>

#include "cli/files/locate.h"
#include "cli/files/output_folder.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"

namespace w2w::cli {

namespace fs = std::filesystem;

OutputPath plan_space_folder(const SpaceOptions& options, const Run& run) {
  if (!options.shared.output || options.shared.output->empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("space {} needs -o, the folder of the new space", options.action),
                "w2w space " + options.action + " SOURCE -o FOLDER");
  }
  auto output =
      plan_output_folder(*options.shared.output, {"space", "space.json"}, options.shared.force, false, run);
  check_file_name(output.path.string() + ".building");
  return output;
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
