#include "cli/app/arguments.h"

#include <algorithm>

#include "cli/options/option_values.h"

namespace w2w::cli {
namespace {

using Commands = std::vector<std::unique_ptr<Command>>;

/// Of one of the commands or their actions.
bool takes_value(const Commands& commands, const std::string& name) {
  return std::any_of(commands.begin(), commands.end(), [&](const auto& command) {
    const auto* option = command->parser->get_option_no_throw(name);
    return (option && option->get_items_expected_max() > 0) || takes_value(command->actions, name);
  });
}

/// Whether the argument is an option whose value is the next one: "--dtype", "-o", "-qo".
bool value_follows(const Commands& commands, const std::string& argument) {
  if (argument.starts_with("--")) return takes_value(commands, argument);  // no name holds a '='
  for (size_t i = 1; i < argument.size(); ++i) {
    if (takes_value(commands, std::string("-") + argument[i])) return i + 1 == argument.size();
  }
  return false;
}

/// The first argument from `begin` on that is no option of `commands`, nor the value of one, is put there.
void put_word_first(std::vector<std::string>& arguments, std::ptrdiff_t begin, const Commands& commands) {
  for (auto word = arguments.begin() + begin; word < arguments.end(); ++word) {
    if (*word == "--" || *word == "-V" || *word == "--version") return;
    if (!word->starts_with('-') || *word == "-") {
      std::rotate(arguments.begin() + begin, word, word + 1);
      return;
    }
    if (value_follows(commands, *word)) ++word;
  }
}

}  // namespace

std::vector<std::string> command_first(std::vector<std::string> arguments, const Commands& commands) {
  put_word_first(arguments, 0, commands);
  for (const auto& command : commands) {
    if (command->is_group() && !arguments.empty() && arguments.front() == command->text.name)
      put_word_first(arguments, 1, command->actions);
  }
  return arguments;
}

std::vector<std::string> parser_arguments(const std::vector<std::string>& arguments) {
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
