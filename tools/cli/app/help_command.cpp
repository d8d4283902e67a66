#include <fmt/format.h>

#include "cli/app/app.h"
#include "cli/app/help.h"
#include "cli/options/option_values.h"

namespace w2w::cli {

void add_help(App& app) {
  auto names = std::make_shared<std::vector<std::string>>();
  auto& parser = app.add_command({.name = "help",
                                  .summary = "help on a command",
                                  .arguments = "[COMMAND [ACTION]]",
                                  .examples = {{"w2w help tokens", "what `w2w tokens --help` shows"},
                                               {"w2w help space build", "of one action of a command"}}},
                                 [names, &app](Reporter&) {
                                   if (names->empty()) return fmt::print("{}", overview(app));
                                   fmt::print("{}", command_help(app.command(*names)));
                                 });
  add_arguments(parser, "command", *names, "the command to explain");
}

}  // namespace w2w::cli
