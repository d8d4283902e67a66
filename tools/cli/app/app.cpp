#include "cli/app/app.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/Config.hpp>  // CLI/App.hpp needs the bodies of these two somewhere
#include <CLI/Formatter.hpp>

#include <algorithm>

#include "cli/app/arguments.h"
#include "cli/app/defaults.h"
#include "cli/app/environment.h"
#include "cli/app/help.h"
#include "cli/app/leftovers.h"
#include "cli/app/signals.h"
#include "cli/app/version.h"
#include "cli/options/option_groups.h"
#include "cli/options/option_values.h"
#include "cli/terminal/reporter.h"
#include "cli/terminal/terminal.h"
#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"
#include "w2w/base/threads.h"
#include "w2w/device/device.h"

namespace w2w::cli {
namespace {

Command& added(CLI::App& parent, std::vector<std::unique_ptr<Command>>& commands, CommandText text) {
  auto command = std::make_unique<Command>();
  command->parser = parent.add_subcommand(text.name, text.summary);
  command->parser->allow_extras();
  command->text = std::move(text);
  commands.push_back(std::move(command));
  return *commands.back();
}

void add_general_options(Command& command) {
  auto& parser = *command.parser;
  auto& general = command.general;
  const auto group = [](CLI::Option* option) { option->group(general_group); };
  parser.set_help_flag("-h,--help", "show this help");
  group(parser.get_help_ptr());
  group(add_switch(parser, "--json", general.json, "results as one JSON object on stdout"));
  group(add_switch(parser, "--json-lines", general.json_lines,
                   "progress, outputs and errors on stdout as they happen, one JSON object a line"));
  group(add_switch(parser, "-q,--quiet", general.quiet, "show warnings and errors only"));
  group(add_switch(parser, "-v,--verbose", general.verbose, "show more messages"));
  group(add_switch(parser, "--no-color", general.no_colour, "no colours (also NO_COLOR, TERM=dumb)"));
  group(add_integer(parser, "-t,--threads", general.threads, {0, 4096}, "CPU threads; 0: one per core"));
  group(add_text(parser, "--config", command.config, "FILE",
                 "file of `option = value` lines; overrides $XDG_CONFIG_HOME/w2w/config.toml"));
}

[[noreturn]] void throw_usage(const CLI::ParseError& error, const Command* command) {
  std::string what = error.what();
  const std::string missing =
      ": 1 required ";  // CLI11's words for an option at the end of the line without its value
  if (const size_t at = what.find(missing); at != std::string::npos)
    what = what.substr(0, at) + " needs a value";
  throw Error(ErrorKind::usage, what, fmt::format("see `w2w help{}`", command ? " " + command->path() : ""));
}

std::vector<std::string> names_of(const std::vector<std::unique_ptr<Command>>& commands) {
  std::vector<std::string> names;
  for (const auto& command : commands) names.push_back(command->text.name);
  return names;
}

const Command* find(const std::vector<std::unique_ptr<Command>>& commands, const std::string& name) {
  const auto found =
      std::find_if(commands.begin(), commands.end(), [&](const auto& one) { return one->text.name == name; });
  return found == commands.end() ? nullptr : found->get();
}

const Command& action_of(const Command& group, const std::string& name) {
  if (const auto* action = find(group.actions, name)) return *action;
  throw Error(ErrorKind::usage, fmt::format("unknown action '{}' of `w2w {}`", name, group.path()),
              suggest(name, names_of(group.actions)));
}

}  // namespace

std::string Command::path(char separator) const {
  return group ? group->path(separator) + separator + text.name : text.name;
}

App::~App() = default;

App::App() : root_("", "w2w") {
  root_.set_help_flag("-h,--help", "show this help");
  add_switch(root_, "-V,--version", version_wanted_, "print versions and devices");
  root_.require_subcommand(0, 1);  // more would take a free argument such as `help` for a command
  root_.allow_extras();            // leftovers are reported here, with the nearest names
}

CLI::App& App::add_command(CommandText text, std::function<void(Reporter&)> run) {
  auto& command = added(root_, commands_, std::move(text));
  command.run = std::move(run);
  add_general_options(command);
  return *command.parser;
}

Command& App::add_group(CommandText text) {
  auto& group = added(root_, commands_, std::move(text));
  group.parser->require_subcommand(0, 1);
  group.parser->set_help_flag("-h,--help", "show this help");
  group.parser->get_help_ptr()->group(general_group);
  return group;
}

CLI::App& App::add_action(Command& group, CommandText text, std::function<void(Reporter&)> run) {
  auto& action = added(*group.parser, group.actions, std::move(text));
  action.group = &group;
  action.run = std::move(run);
  add_general_options(action);
  return *action.parser;
}

std::vector<std::string> App::command_names() const { return names_of(commands_); }

std::vector<const Command*> App::tree() const {
  std::vector<const Command*> all;
  for (const auto& command : commands_) {
    all.push_back(command.get());
    for (const auto& action : command->actions) all.push_back(action.get());
  }
  return all;
}

const Command& App::command(const std::vector<std::string>& words) const {
  const auto& name = words.at(0);
  const auto* command = find(commands_, name);
  if (!command) {
    throw Error(ErrorKind::usage, fmt::format("unknown command '{}'", name), suggest(name, command_names()));
  }
  if (words.size() == 1) return *command;
  if (!command->is_group() || words.size() > 2) {
    throw Error(ErrorKind::usage, fmt::format("expected one command, found '{}'", fmt::join(words, " ")));
  }
  return action_of(*command, words[1]);
}

/// The command whose words were there: an action, a command, or none.
Command* App::parsed() const {
  Command* command = nullptr;
  const auto* parser = &root_;
  for (const auto* among = &commands_; !parser->get_subcommands().empty(); among = &command->actions) {
    parser = parser->get_subcommands().front();
    command =
        std::find_if(among->begin(), among->end(), [&](auto& one) { return one->parser == parser; })->get();
  }
  return command;
}

Command* App::parse(const std::vector<std::string>& arguments) {
  try {
    root_.parse(parser_arguments(command_first(arguments, commands_)));
  } catch (const CLI::CallForHelp&) {
    const auto* command = parsed();
    fmt::print("{}", command ? command_help(*command) : overview(*this));
    return nullptr;
  } catch (const CLI::ParseError& error) {
    throw_usage(error, parsed());
  }
  auto* command = parsed();
  if (version_wanted_) {
    fmt::print("{}", version_text());
    return nullptr;
  }
  check_leftovers(*this, command);
  if (!command) fmt::print("{}", overview(*this));
  return command;
}

void App::run(const std::vector<std::string>& arguments) {
  auto* command = current_ = parse(arguments);
  if (!command) return;
  fill_from_environment(*command->parser);
  fill_from_config(*this, *command);
  if (command->general.no_colour) disable_colour();
  const auto& name = (command->group ? command->group : command)->text.name;
  reporter_ = std::make_unique<Reporter>(name, command->general, &stop_by_signal());
  if (command->group) reporter_->field("action", command->text.name);
  warn_of_unread_variables(*this, reporter_->run());
  set_threads(command->general.threads);
  command->run(*reporter_);
  reporter_->finish();
}

void App::report_failure(const std::vector<std::string>& typed, const Error& error) noexcept {
  try {
    if (reporter_) return reporter_->fail(error);
    // Before there was a command: nothing but the words tells what is wanted.
    const auto arguments = command_first(typed, commands_);
    const auto end = std::find(arguments.begin(), arguments.end(), "--");
    const auto given = [&](const char* option) { return std::find(arguments.begin(), end, option) != end; };
    auto general = current_ ? current_->general : GeneralOptions();
    general.json |= given("--json");
    general.json_lines |= given("--json-lines");
    const bool named = !arguments.empty() && !arguments.front().starts_with('-');
    Reporter(named ? arguments.front() : "", general).fail(error);
  } catch (const std::exception&) {  // out of memory once more: the error itself is still told of
  }
}

}  // namespace w2w::cli
