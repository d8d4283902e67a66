#include "w2w/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "w2w/option_groups.h"
#include "w2w/terminal.h"

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

std::string option_line(const CLI::Option& option) {
  const auto usage = option_usage(option);
  const auto help = wrap(option.get_description(), line_width - option_column, option_column);
  const bool fits = display_width(usage) + 4 <= option_column;
  if (!fits) return fmt::format("  {}\n{}{}\n", usage, std::string(option_column, ' '), help);
  return fmt::format("  {:<{}}{}\n", usage, option_column - 2, help);
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

bool has_environment(const CLI::App& parser) {
  const auto options = parser.get_options();
  return std::any_of(options.begin(), options.end(), [](const CLI::Option* option) {
    return option->get_group() == model_group && !environment_name(*option).empty();
  });
}

}  // namespace

std::string overview(const App& app) {
  std::string text =
      bold("w2w", Stream::out) +
      ": people as points in the weight space of a diffusion model. Draw new ones, see them in any "
      "scene,\nfind yours from a picture, change an attribute.\n\n";
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
    if (option->get_positional()) {
      text += fmt::format("  {:<{}}{}\n", about.arguments, option_column - 2,
                          wrap(option->get_description(), line_width - option_column, option_column));
    }
  }
  for (const auto& group : all_groups) text += group_text(*command.parser, group);
  if (has_environment(*command.parser)) {
    text +=
        "\n" +
        wrap(
            "Options of the shared groups can also be set by environment variables (W2W_MODEL, W2W_SPACE, "
            "W2W_STEPS, ...) and in config.toml; the command line comes first.",
            line_width, 0) +
        "\n";
  }
  return text;
}

}  // namespace w2w::cli
