#include "cli/app/option_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>

#include "cli/options/option_groups.h"

namespace w2w::cli {
namespace {

OptionText text_of(const CLI::Option& option) {
  OptionText text{.group = option.get_group(), .help = option.get_description()};
  for (const auto& name : option.get_snames()) text.names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) text.names.push_back("--" + name);
  if (option.get_items_expected_max() == 0) return text;
  text.value = option.get_type_name();
  if (text.value.find('|') == std::string::npos) return text;
  std::istringstream choices(text.value);
  for (std::string choice; std::getline(choices, choice, '|');) text.choices.push_back(choice);
  return text;
}

}  // namespace

std::string OptionText::usage() const {
  return fmt::format("{}{}{}", fmt::join(names, ", "), value.empty() ? "" : " ", value);
}

std::vector<OptionText> options_of(const Command& command) {
  std::vector<OptionText> all;
  const auto* help = command.parser->get_help_ptr();
  for (const auto* option : command.parser->get_options()) {
    if (option != help && !option->get_positional() && !option->get_group().empty())
      all.push_back(text_of(*option));
  }
  all.push_back(text_of(*help));
  return all;
}

std::string arguments_help(const Command& command) {
  for (const auto* option : command.parser->get_options()) {
    if (option->get_positional()) return option->get_description();
  }
  return {};
}

std::vector<Example> examples_of(const Command& command) {
  auto examples = command.text.examples;
  for (const auto& action : command.actions) examples.push_back(action->text.examples.front());
  return examples;
}

std::string synopsis(const Command& command) {
  const auto& arguments = command.is_group() ? "ACTION" : command.text.arguments;
  return fmt::format("w2w {}{}{} [OPTIONS]", command.path(), arguments.empty() ? "" : " ", arguments);
}

std::string settings_text(const Command& command) {
  std::vector<std::string> variables;
  for (const auto& group : {model_group, picture_group, output_group}) {
    for (const auto* option : command.parser->get_options()) {
      const auto name = option->get_group() == group ? environment_name(*option) : "";
      if (!name.empty() && variables.size() < 3) variables.push_back(name);
    }
  }
  if (variables.empty()) return {};
  return fmt::format(
      "Options of the shared groups (Model, Pictures, Output, General) can also be set by environment "
      "variables ({}, ...) and in config.toml; all other options of this command in its section [{}]. The "
      "command line takes precedence.",
      fmt::join(variables, ", "), command.path('.'));
}

}  // namespace w2w::cli
