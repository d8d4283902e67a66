#include "cli/commands/direction/command.h"
#include "cli/commands/direction/table.h"
#include "cli/files/locate.h"

namespace w2w::cli {

void run_direction_list(const DirectionOptions& options, Reporter& reporter) {
  check_attribute_options(options.attributes);
  const auto& run = reporter.run();
  const auto space = Space::open(locate_space(options.shared.space, run), nullptr, run);
  const AttributeSource source(options.attributes, space, run);
  const auto directions = source.all(run);
  show_attributes(directions, {}, reporter, &Reporter::line);
  reporter.field("source", source.origin());
  reporter.field("components", source.components());
  reporter.field("method", directions.method);
  reporter.field("without", directions.without);
}

}  // namespace w2w::cli
