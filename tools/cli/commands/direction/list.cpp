#include "cli/commands/direction/command.h"
#include "cli/commands/direction/table.h"
#include "cli/files/locate.h"

namespace w2w::cli {

void run_direction_list(const DirectionOptions& options, Reporter& reporter) {
  const auto space = Space::open(locate_space(options.shared.space));
  const AttributeSource source(options.attributes, space);
  const auto directions = source.all();
  show_attributes(directions, {}, reporter, &Reporter::line);
  reporter.field("source", source.origin());
  reporter.field("components", source.components());
  reporter.field("method", directions.method);
  reporter.field("without", directions.without);
}

}  // namespace w2w::cli
