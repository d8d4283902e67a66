#include "cli/app/leftovers.h"

#include <fmt/format.h>

#include <algorithm>

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

/// The option of `command` that does what another one does elsewhere, if there is one.
std::string instead(const Command& command, const std::string& option) {
  if (option == "--identity-seed" && command.parser->get_option_no_throw("--seed"))
    return fmt::format("--identity-seed draws the person of `w2w sample`; the seed of `w2w {}` is --seed",
                       command.path());
  return help_hint(command);
}

/// An option of another action, or another command, was most likely meant for that one.
void check_other_commands(const App& app, const Command& command, const std::string& option) {
  constexpr size_t most_named = 3;
  std::vector<std::string> siblings, owners;
  for (const auto* other : app.tree()) {
    if (other->is_group() || !other->parser->get_option_no_throw(option)) continue;
    auto& those = command.group && other->group == command.group ? siblings : owners;
    those.push_back(fmt::format("`w2w {}`", other->path()));
  }
  if (!siblings.empty()) owners = siblings;
  if (owners.empty()) return;
  const auto named = owners.size() > most_named ? "other commands" : listed(owners, "and");
  throw Error(ErrorKind::usage,
              fmt::format("{} is an option of {}, not of `w2w {}`", option, named, command.path()),
              instead(command, option));
}

}  // namespace

void check_leftovers(const App& app, const Command* command) {
  for (const auto& argument : app.root().remaining()) {
    if (!argument.starts_with('-')) (void)app.command({argument});
    const auto all = app.tree();
    if (std::any_of(all.begin(), all.end(),
                    [&](const auto* one) { return one->parser->get_option_no_throw(argument); })) {
      throw Error(ErrorKind::usage, fmt::format("{} needs a command", argument),
                  fmt::format("w2w COMMAND {}; `w2w help` lists the commands", argument));
    }
    const auto near = nearest_name(argument, option_names(app.root()));
    throw Error(ErrorKind::usage, fmt::format("unknown option '{}' before the command", argument),
                near ? fmt::format("did you mean '{}'?", *near) : "`w2w help` lists the commands");
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
    check_other_commands(app, *command, option);
    const auto near = nearest_name(option, option_names(*command->parser));
    throw Error(ErrorKind::usage, fmt::format("unknown option '{}' of `w2w {}`", option, command->path()),
                near ? fmt::format("did you mean '{}'?", *near) : help_hint(*command));
  }
}

}  // namespace w2w::cli
