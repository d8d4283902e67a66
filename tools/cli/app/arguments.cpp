#include "cli/app/arguments.h"

#include <algorithm>

#include "cli/options/option_values.h"

namespace w2w::cli {
namespace {

bool takes_value(const Command& group, const std::string& name) {
  return std::any_of(group.actions.begin(), group.actions.end(), [&](const auto& action) {
    const auto* option = action->parser->get_option_no_throw(name);
    return option && option->get_items_expected_max() > 0;
  });
}

/// Whether the argument is an option whose value is the next one: "--dtype", "-o", "-qo".
bool value_follows(const Command& group, const std::string& argument) {
  if (argument.starts_with("--")) return takes_value(group, argument);  // no name holds a '='
  for (size_t i = 1; i < argument.size(); ++i) {
    if (takes_value(group, std::string("-") + argument[i])) return i + 1 == argument.size();
  }
  return false;
}

void put_action_first(const Command& group, std::vector<std::string>& arguments) {
  for (auto word = arguments.begin() + 1; word < arguments.end(); ++word) {
    if (!word->starts_with('-') || *word == "-") {
      std::rotate(arguments.begin() + 1, word, word + 1);
      return;
    }
    if (value_follows(group, *word)) ++word;
  }
}

}  // namespace

std::vector<std::string> parser_arguments(std::vector<std::string> arguments,
                                          const std::vector<std::unique_ptr<Command>>& commands) {
  for (const auto& command : commands) {
    if (command->is_group() && !arguments.empty() && arguments.front() == command->text.name)
      put_action_first(*command, arguments);
  }
  std::vector<std::string> prepared;
  for (const auto& argument : arguments) {
    // CLI11 would take the next argument as the value of "--name=".
    if (argument.starts_with("--") && argument.find('=') == argument.size() - 1) {
      prepared.push_back(argument.substr(0, argument.size() - 1));
      prepared.emplace_back();
    } else {
      prepared.push_back(protect_argument(argument));
    }
  }
  std::reverse(prepared.begin(), prepared.end());
  return prepared;
}

}  // namespace w2w::cli
