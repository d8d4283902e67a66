#include <fmt/format.h>

#include "w2w/app.h"
#include "w2w/base/error.h"
#include "w2w/help.h"
#include "w2w/option_values.h"

namespace w2w::cli {

void add_help(App& app) {
  auto names = std::make_shared<std::vector<std::string>>();
  auto& parser = app.add_command(
      {.name = "help",
       .summary = "help on a command",
       .arguments = "[COMMAND]",
       .examples = {{"w2w help tokens", "what `w2w tokens --help` shows"}}},
      [names, &app](Reporter&) {
        if (names->size() > 1) {
          throw Error(ErrorKind::usage, fmt::format("help takes one command, found {}", names->size()));
        }
        fmt::print("{}", names->empty() ? overview(app) : command_help(app.command(names->front())));
      });
  add_arguments(parser, "command", *names, "the command to explain");
}

}  // namespace w2w::cli
