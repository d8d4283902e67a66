#include "cli/app/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "cli/app/option_text.h"
#include "cli/options/option_groups.h"
#include "cli/terminal/terminal.h"

namespace w2w::cli {
namespace {

constexpr size_t line_width = 80;
constexpr size_t option_column = 30;  ///< where the explanation of an option begins

std::string heading(const std::string& text) { return bold(text, Stream::out) + "\n"; }

/// Of a shell: a long one goes on in the next line.
std::string command_line(const std::string& command) {
  auto lines = wrap(command, line_width - 4, 6);
  for (size_t at = 0; (at = lines.find('\n', at)) != std::string::npos; at += 3)
    lines.replace(at, 1, " \\\n");
  return lines;
}

/// Side by side where all of them fit, else one below the other.
std::string examples_text(const std::vector<Example>& examples) {
  size_t command_width = 0, effect_width = 0;
  for (const auto& [command, effect] : examples) {
    command_width = std::max(command_width, display_width(command));
    effect_width = std::max(effect_width, display_width(effect));
  }
  const bool fit = 2 + command_width + 3 + effect_width <= line_width;
  std::string text;
  for (const auto& [command, effect] : examples) {
    text += fit ? fmt::format("  {:<{}}   {}\n", command, command_width, effect)
                : fmt::format("  {}\n      {}\n", command_line(command), wrap(effect, line_width - 6, 6));
  }
  return text;
}

/// A long list of choices is broken between two of them.
std::string broken(std::string usage) {
  size_t begin = 0;
  while (usage.size() - begin > line_width - 4) {
    const size_t at = usage.find_last_of("|,", begin + line_width - 6);
    if (at == std::string::npos || at <= begin) break;
    usage.insert(at + 1, "\n        ");
    begin = at + 2;
  }
  return usage;
}

std::string two_columns(const std::string& usage, const std::string& description) {
  const auto help = wrap(description, line_width - option_column, option_column);
  const bool fits = display_width(usage) + 4 <= option_column;
  if (!fits) return fmt::format("  {}\n{}{}\n", broken(usage), std::string(option_column, ' '), help);
  return fmt::format("  {:<{}}{}\n", usage, option_column - 2, help);
}

/// Options without a short name are indented to stand under the others' long names.
std::string indented_usage(const OptionText& option) {
  return (option.names.front().starts_with("--") ? "    " : "") + option.usage();
}

std::string group_text(const std::vector<OptionText>& options, const std::string& group) {
  std::vector<OptionText> shown;
  std::copy_if(options.begin(), options.end(), std::back_inserter(shown),
               [&](const auto& option) { return option.group == group; });
  std::string text;
  for (size_t i = 0; i < shown.size(); ++i) {
    const auto usage = indented_usage(shown[i]);
    const bool as_next =
        i + 1 < shown.size() && shown[i].help == shown[i + 1].help;  // told once, at the last of them
    text += as_next ? fmt::format("  {}\n", broken(usage)) : two_columns(usage, shown[i].help);
  }
  return text.empty() ? text : "\n" + heading(group) + text;
}

std::string list_text(const std::vector<std::unique_ptr<Command>>& commands) {
  size_t column = 0;
  for (const auto& command : commands) column = std::max(column, command->text.name.size() + 5);
  std::string text;
  for (const auto& command : commands) {
    text += fmt::format("  {:<{}}{}\n", command->text.name, column - 2,
                        wrap(command->text.summary, line_width - column, column));
  }
  return text;
}

std::string actions_help(const Command& group) {
  return "\n" + heading("Actions") + list_text(group.actions) + group_text(options_of(group), general_group) +
         fmt::format("\n`w2w {} ACTION --help` shows examples and all options of an action.\n", group.path());
}

std::string options_help(const Command& command) {
  std::string text;
  if (const auto help = arguments_help(command); !help.empty())
    text += two_columns(command.text.arguments, help);
  if (const auto& notes = command.text.notes; !notes.empty())
    text += "\n" + wrap(notes, line_width, 0) + "\n";
  const auto options = options_of(command);
  for (const auto& group : all_groups) text += group_text(options, group);
  if (const auto settings = settings_text(command); !settings.empty())
    text += "\n" + wrap(settings, line_width, 0) + "\n";
  return text;
}

}  // namespace

std::string overview(const App& app) {
  const auto intro = fmt::format(": {}. {}", program_summary, program_description);
  auto text = bold("w2w", Stream::out) + wrap(intro, line_width - 3, 0) + "\n\n";
  text += heading("Try");
  std::vector<Example> examples;
  for (const auto& command : app.commands()) {
    if (!command->text.examples.empty() && examples.size() < 4)
      examples.push_back(command->text.examples.front());
  }
  text += examples_text(examples) + "\n" + heading("Commands") + list_text(app.commands());
  return text + "\n`w2w COMMAND --help` shows examples and all options of a command.\n";
}

std::string command_help(const Command& command) {
  const auto name = "w2w " + command.path();
  auto text = bold(name, Stream::out) +
              wrap(fmt::format(": {}", command.text.summary), line_width - name.size(), 2) + "\n";
  if (const auto examples = examples_of(command); !examples.empty())
    text += "\n" + heading("Examples") + examples_text(examples);
  text += fmt::format("\n{}  {}\n", heading("Usage"), wrap(synopsis(command), line_width - 2, 6));
  return text + (command.is_group() ? actions_help(command) : options_help(command));
}

}  // namespace w2w::cli
