#include "cli/app/leftovers.h"

#include <fmt/format.h>

#include "cli/options/option_values.h"
#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"

namespace w2w::cli {
namespace {

std::vector<std::string> option_names(const CLI::App& parser) {
  std::vector<std::string> names;
  for (const auto* option : parser.get_options()) {
    if (option->get_group().empty()) continue;
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string help_hint(const Command& command) { return fmt::format("see `w2w help {}`", command.path()); }

/// What is there in place of the action that was expected.
[[noreturn]] void throw_no_action(const App& app, const Command& group) {
  const auto words = group.parser->remaining();  // an action that is there is the first of them
  if (!words.empty() && !words.front().starts_with('-')) (void)app.command({group.text.name, words.front()});
  std::vector<std::string> names;
  for (const auto& action : group.actions) names.push_back(action->text.name);
  throw Error(ErrorKind::usage, fmt::format("{} expects an action: {}", group.path(), listed(names, "or")),
              help_hint(group));
}

/// An option of another action was most likely meant for that one.
void check_other_actions(const Command& command, const std::string& option) {
  if (!command.group) return;
  std::vector<std::string> owners;
  for (const auto& other : command.group->actions) {
    if (other->parser->get_option_no_throw(option)) owners.push_back(fmt::format("`w2w {}`", other->path()));
  }
  if (owners.empty()) return;
  throw Error(
      ErrorKind::usage,
      fmt::format("{} is an option of {}, not of `w2w {}`", option, listed(owners, "and"), command.path()),
      help_hint(command));
}

}  // namespace

void check_leftovers(const App& app, const Command* command) {
  for (const auto& argument : app.root().remaining()) {
    if (!argument.starts_with('-')) (void)app.command({argument});
    const auto near = nearest_name(argument, option_names(app.root()));
    throw Error(ErrorKind::usage, fmt::format("unknown option '{}' before the command", argument),
                near ? fmt::format("did you mean '{}'?", *near)
                     : "options follow the command: w2w COMMAND [OPTIONS]");
  }
  if (!command) return;
  if (command->is_group()) throw_no_action(app, *command);
  for (const auto& argument : command->parser->remaining()) {
    if (argument == "--") continue;
    if (!argument.starts_with('-') || argument == "-") {
      throw Error(ErrorKind::usage,
                  fmt::format("unexpected argument '{}' of `w2w {}`", argument, command->path()),
                  help_hint(*command));
    }
    const auto option = argument.substr(0, argument.starts_with("--") ? argument.find('=') : 2);
    check_other_actions(*command, option);
    const auto near = nearest_name(option, option_names(*command->parser));
    throw Error(ErrorKind::usage, fmt::format("unknown option '{}' of `w2w {}`", option, command->path()),
                near ? fmt::format("did you mean '{}'?", *near) : help_hint(*command));
  }
}

}  // namespace w2w::cli
