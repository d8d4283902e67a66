#include "cli/app/help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/options/option_groups.h"
#include "cli/terminal/terminal.h"

namespace w2w::cli {
namespace {

constexpr size_t line_width = 96;
constexpr size_t option_column = 34;  ///< where the explanation of an option begins

std::string heading(const std::string& text) { return bold(text, Stream::out) + "\n"; }

std::string examples_text(const std::vector<Example>& examples) {
  size_t column = 0;
  for (const auto& example : examples) column = std::max(column, display_width(example.command));
  std::string text;
  for (const auto& [command, effect] : examples) {
    const size_t indent = column + 5;
    if (indent + display_width(effect) <= line_width) {
      text += fmt::format("  {:<{}}   {}\n", command, column, effect);
    } else {
      text += fmt::format("  {}\n      {}\n", command, wrap(effect, line_width - 6, 6));
    }
  }
  return text;
}

/// "-s, --seed LIST"; options without a short name are indented to stand under the others' long names.
std::string option_usage(const CLI::Option& option) {
  std::string text;
  for (const auto& name : option.get_snames()) text += fmt::format("{}-{}", text.empty() ? "" : ", ", name);
  if (text.empty()) text = "   ";
  for (const auto& name : option.get_lnames())
    text += fmt::format("{}--{}", text == "   " ? " " : ", ", name);
  const auto value = option.get_type_name();
  return option.get_items_expected_max() == 0 || value.empty() ? text : text + " " + value;
}

std::string two_columns(const std::string& usage, const std::string& description) {
  const auto help = wrap(description, line_width - option_column, option_column);
  const bool fits = display_width(usage) + 4 <= option_column;
  if (!fits) return fmt::format("  {}\n{}{}\n", usage, std::string(option_column, ' '), help);
  return fmt::format("  {:<{}}{}\n", usage, option_column - 2, help);
}

std::string option_line(const CLI::Option& option) {
  return two_columns(option_usage(option), option.get_description());
}

std::string group_text(const CLI::App& parser, const std::string& group) {
  std::string text, help;
  for (const auto* option : parser.get_options()) {
    if (option->get_group() != group || option->get_positional()) continue;
    (option == parser.get_help_ptr() ? help : text) += option_line(*option);
  }
  text += help;
  return text.empty() ? text : "\n" + heading(group) + text;
}

/// How to set options other than on the command line, with variables that this command reads.
std::string defaults_text(const Command& command) {
  std::vector<std::string> variables;
  for (const auto& group : {model_group, picture_group, output_group}) {
    for (const auto* option : command.parser->get_options()) {
      const auto name = option->get_group() == group ? environment_name(*option) : "";
      if (!name.empty() && variables.size() < 3) variables.push_back(name);
    }
  }
  if (variables.empty()) return {};
  const auto text = fmt::format(
      "Options of the shared groups (Model, Pictures, Output, General) can also be set by environment "
      "variables ({}, ...) "
      "and in config.toml; all other options of this command in its section [{}]. The command line takes "
      "precedence.",
      fmt::join(variables, ", "), command.text.name);
  return "\n" + wrap(text, line_width, 0) + "\n";
}

}  // namespace

std::string overview(const App& app) {
  std::string text =
      bold("w2w", Stream::out) +
      ": people as points in the weight space of a diffusion model. Sample new people, draw them in any "
      "scene,\nfind a person from a picture, edit attributes.\n\n";
  text += heading("Try");
  std::vector<Example> examples;
  for (const auto& command : app.commands()) {
    if (!command->text.examples.empty() && examples.size() < 4)
      examples.push_back(command->text.examples.front());
  }
  text += examples_text(examples) + "\n" + heading("Commands");
  size_t column = 0;
  for (const auto& command : app.commands()) column = std::max(column, command->text.name.size());
  for (const auto& command : app.commands()) {
    text += fmt::format("  {:<{}}   {}\n", command->text.name, column, command->text.summary);
  }
  return text + "\n`w2w COMMAND --help` shows examples and all options of a command.\n";
}

std::string command_help(const Command& command) {
  const auto& about = command.text;
  std::string text = fmt::format("{}: {}\n", bold("w2w " + about.name, Stream::out), about.summary);
  if (!about.examples.empty()) text += "\n" + heading("Examples") + examples_text(about.examples);
  text +=
      "\n" + heading("Usage") +
      fmt::format("  w2w {}{} [OPTIONS]\n", about.name, about.arguments.empty() ? "" : " " + about.arguments);
  for (const auto* option : command.parser->get_options()) {
    if (option->get_positional()) text += two_columns(about.arguments, option->get_description());
  }
  for (const auto& group : all_groups) text += group_text(*command.parser, group);
  return text + defaults_text(command);
}

}  // namespace w2w::cli
