#include "cli/app/app.h"

#include <fmt/format.h>
#include <CLI/Config.hpp>  // CLI/App.hpp needs the bodies of these two somewhere
#include <CLI/Formatter.hpp>

#include <algorithm>

#include "cli/app/defaults.h"
#include "cli/app/help.h"
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

std::vector<std::string> option_names(const CLI::App& parser) {
  std::vector<std::string> names;
  for (const auto* option : parser.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
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

/// CLI11 would take the next argument as the value of "--name=".
std::vector<std::string> reversed_arguments(const std::vector<std::string>& arguments) {
  std::vector<std::string> prepared;
  for (const auto& argument : arguments) {
    if (argument.starts_with("--") && argument.find('=') == argument.size() - 1) {
      prepared.push_back(argument.substr(0, argument.size() - 1));
      prepared.emplace_back();
    } else {
      prepared.push_back(protect_argument(argument));
    }
  }
  std::reverse(prepared.begin(), prepared.end());  // the order CLI11 wants
  return prepared;
}

[[noreturn]] void throw_usage(const CLI::ParseError& error, const Command* command) {
  std::string what = error.what();
  const std::string missing =
      ": 1 required ";  // CLI11's words for an option at the end of the line without its value
  if (const size_t at = what.find(missing); at != std::string::npos)
    what = what.substr(0, at) + " needs a value";
  throw Error(ErrorKind::usage, what,
              fmt::format("see `w2w help{}`", command ? " " + command->text.name : ""));
}

}  // namespace

void check_action(const std::string& command, const std::vector<std::string>& actions,
                  const std::string& word) {
  if (std::find(actions.begin(), actions.end(), word) != actions.end()) return;
  throw Error(ErrorKind::usage, fmt::format("unknown action '{}' of `w2w {}`", word, command),
              suggest(word, actions));
}

App::~App() = default;

App::App() : root_("", "w2w") {
  root_.set_help_flag("-h,--help", "show this help");
  add_switch(root_, "-V,--version", version_wanted_, "print versions and devices");
  root_.require_subcommand(0, 1);  // more would take a free argument such as `help` for a command
  root_.allow_extras();            // leftovers are reported here, with the nearest names
}

CLI::App& App::add_command(CommandText text, std::function<void(Reporter&)> run) {
  auto command = std::make_unique<Command>();
  command->parser = root_.add_subcommand(text.name, text.summary);
  command->parser->allow_extras();
  command->text = std::move(text);
  command->run = std::move(run);
  add_general_options(*command);
  commands_.push_back(std::move(command));
  return *commands_.back()->parser;
}

std::vector<std::string> App::command_names() const {
  std::vector<std::string> names;
  for (const auto& command : commands_) names.push_back(command->text.name);
  return names;
}

const Command& App::command(const std::string& name) const {
  for (const auto& command : commands_) {
    if (command->text.name == name) return *command;
  }
  const auto& planned = planned_commands();
  if (std::find(planned.begin(), planned.end(), name) != planned.end()) {
    throw Error(ErrorKind::usage, fmt::format("this version has no command '{}' yet", name),
                "run `w2w` for the commands it has");
  }
  throw Error(ErrorKind::usage, fmt::format("unknown command '{}'", name), suggest(name, command_names()));
}

void App::check_leftovers(const Command* command) const {
  for (const auto& argument : root_.remaining()) {
    if (!argument.starts_with('-')) (void)this->command(argument);
    const auto near = nearest_name(argument, option_names(root_));
    throw Error(ErrorKind::usage, fmt::format("unknown option '{}' before the command", argument),
                near ? fmt::format("did you mean '{}'?", *near)
                     : "options follow the command: w2w COMMAND [OPTIONS]");
  }
  if (!command) return;
  for (const auto& argument : command->parser->remaining()) {
    if (argument == "--") continue;
    const auto& name = command->text.name;
    const std::string see = fmt::format("see `w2w help {}`", name);
    if (!argument.starts_with('-') || argument == "-") {
      throw Error(ErrorKind::usage, fmt::format("unexpected argument '{}' of `w2w {}`", argument, name), see);
    }
    const std::string option = argument.substr(0, argument.find('='));
    const auto near = nearest_name(option, option_names(*command->parser));
    throw Error(ErrorKind::usage, fmt::format("unknown option '{}' of `w2w {}`", option, name),
                near ? fmt::format("did you mean '{}'?", *near) : see);
  }
}

Command* App::parse(const std::vector<std::string>& arguments) {
  const auto selected = [this]() -> Command* {
    const auto parsed = root_.get_subcommands();
    if (parsed.empty()) return nullptr;
    return std::find_if(commands_.begin(), commands_.end(), [&](auto& c) { return c->parser == parsed[0]; })
        ->get();
  };
  try {
    root_.parse(reversed_arguments(arguments));
  } catch (const CLI::CallForHelp&) {
    const auto* command = selected();
    fmt::print("{}", command ? command_help(*command) : overview(*this));
    return nullptr;
  } catch (const CLI::ParseError& error) {
    throw_usage(error, selected());
  }
  auto* command = selected();
  if (version_wanted_) {
    fmt::print("{}", version_text());
    return nullptr;
  }
  check_leftovers(command);
  if (!command) fmt::print("{}", overview(*this));
  return command;
}

void App::run(const std::vector<std::string>& arguments) {
  auto* command = current_ = parse(arguments);
  if (!command) return;
  fill_from_environment(*command->parser);
  fill_from_config(*this, *command);
  if (command->general.no_colour) disable_colour();
  reporter_ = std::make_unique<Reporter>(command->text.name, command->general, &stop_by_signal());
  set_threads(command->general.threads);
  command->run(*reporter_);
  reporter_->finish();
}

void App::report_failure(const std::vector<std::string>& arguments, const Error& error) noexcept {
  try {
    if (reporter_) return reporter_->fail(error);
    // Before there was a command: nothing but the words tells what is wanted.
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
