#include "cli/commands/direction/command.h"
#include "cli/commands/direction/table.h"
#include "cli/files/locate.h"

namespace w2w::cli {

void run_direction_list(const DirectionOptions& options, Reporter& reporter) {
  check_attribute_options(options.attributes);
  const auto& run = reporter.run();
  const auto space = Space::open(locate_space(options.shared.space, run), nullptr, run);
  const AttributeSource source(options.attributes, space, run);
  if (options.names_only) {
    for (const auto& name : source.attributes()) reporter.line(name);
    reporter.field("source", source.origin());
    reporter.field("attributes", source.attributes());
    return;
  }
  const auto directions = source.all(run);
  if (directions.held_out) reporter.field("held_out", held_out_json(directions.held_out));
  show_attributes(directions, space, reporter, &Reporter::line);
  reporter.field("source", source.origin());
  reporter.field("components", source.components());
  reporter.field("method", directions.method);
  reporter.field("without", directions.without);
}

}  // namespace w2w::cli
