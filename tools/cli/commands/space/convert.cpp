// w2w space convert: the release, or a compact space, as a compact space.

#include <fmt/format.h>

#include "cli/commands/space/options.h"
#include "cli/files/locate.h"
#include "cli/files/space_choice.h"
#include "w2w/base/error.h"
#include "w2w/device/device.h"
#include "w2w/space/convert.h"

namespace w2w::cli {

void run_space_convert(const SpaceOptions& options, Reporter& reporter) {
  const auto& arguments = options.arguments;
  if (arguments.size() != 1) {
    throw Error(ErrorKind::usage, fmt::format("space convert takes one space, found {}", arguments.size()),
                "w2w space convert released/files -m MODEL -o space");
  }
  ConvertOptions convert;
  convert.output = plan_space_folder(options, reporter.run());
  convert.components = options.components;
  if (options.dtype != "auto") convert.dtype = parse_dtype(options.dtype, c10::kCPU);
  auto shared = options.shared;
  shared.space = arguments.front();
  const auto space = open_bound_space(shared, reporter.run());
  std::error_code error;
  if (std::filesystem::equivalent(convert.output.path, arguments.front(), error)) {
    throw Error(ErrorKind::failure,
                fmt::format("the output is the space itself ({})", convert.output.path.string()),
                "choose another -o");
  }
  convert.base_model = options.base_model.value_or(space.data().base_model);
  convert.defaults = with_options(space.data().defaults, options);
  convert_space(space, convert, reporter.run());
  reporter.output(convert.output.path, "space",
                  {{"components", options.components.value_or(space.components())},
                   {"parameters", space.parameters()},
                   {"dtype", dtype_name(convert.dtype.value_or(space.data().components.scalar_type()))},
                   {"hash", space.hash()}});
}

}  // namespace w2w::cli
