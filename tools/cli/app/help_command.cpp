#include <fmt/format.h>

#include "cli/app/app.h"
#include "cli/app/help.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"

namespace w2w::cli {
namespace {

/// `w2w help space build` is answered by the help of all of `space`.
void check_words(const CommandText& text, const std::vector<std::string>& words) {
  if (words.size() == 1) return;
  if (text.actions.empty() || words.size() > 2) {
    throw Error(ErrorKind::usage, fmt::format("help takes one command, found {}", words.size()));
  }
  check_action(text.name, text.actions, words[1]);
}

}  // namespace

void add_help(App& app) {
  auto names = std::make_shared<std::vector<std::string>>();
  auto& parser = app.add_command({.name = "help",
                                  .summary = "help on a command",
                                  .arguments = "[COMMAND]",
                                  .examples = {{"w2w help tokens", "what `w2w tokens --help` shows"}}},
                                 [names, &app](Reporter&) {
                                   if (names->empty()) return fmt::print("{}", overview(app));
                                   const auto& command = app.command(names->front());
                                   check_words(command.text, *names);
                                   fmt::print("{}", command_help(command));
                                 });
  add_arguments(parser, "command", *names, "the command to explain");
}

}  // namespace w2w::cli
