#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "cli/app/app.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"

// Completion scripts are generated from the tree of commands, so that they cannot fall behind it. A value
// name like "auto|cpu|cuda" lists the values there are; every other value completes as a path.

namespace w2w::cli {
namespace {

struct OptionWords {
  std::vector<std::string> names;    ///< "-s", "--seed"
  std::vector<std::string> choices;  ///< empty: anything
  bool takes_value = false;
  std::string help;
};

std::vector<OptionWords> options_of(const Command& command) {
  std::vector<OptionWords> all;
  for (const auto* option : command.parser->get_options()) {
    if (option->get_positional()) continue;
    OptionWords words;
    for (const auto& name : option->get_snames()) words.names.push_back("-" + name);
    for (const auto& name : option->get_lnames()) words.names.push_back("--" + name);
    words.takes_value = option->get_items_expected_max() > 0;
    words.help = option->get_description();
    const auto value = option->get_type_name();
    if (words.takes_value && value.find('|') != std::string::npos) {
      std::istringstream choices(value);
      for (std::string choice; std::getline(choices, choice, '|');) words.choices.push_back(choice);
    }
    all.push_back(std::move(words));
  }
  return all;
}

/// For the single-quoted strings of the three shells and the descriptions in zsh's brackets.
std::string plain(std::string text) {
  std::erase_if(text,
                [](char c) { return std::string_view("'\\[]:`$\"").find(c) != std::string_view::npos; });
  return text;
}

std::string argument_words(const App& app, const Command& command) {
  if (command.text.name == "help") return fmt::format("{}", fmt::join(app.command_names(), " "));
  if (command.text.name == "completion") return "bash zsh fish";
  return {};
}

std::string bash_script(const App& app) {
  std::string cases, values;
  for (const auto& command : app.commands()) {
    std::string names;
    for (const auto& option : options_of(*command)) {
      names += (names.empty() ? "" : " ") + fmt::format("{}", fmt::join(option.names, " "));
      if (!option.takes_value) continue;
      std::string patterns;
      for (const auto& name : option.names) {
        patterns += fmt::format("{}{}:{}", patterns.empty() ? "" : "|", command->text.name, name);
      }
      values += option.choices.empty()
                    ? fmt::format("    {}) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n", patterns)
                    : fmt::format("    {}) COMPREPLY=($(compgen -W '{}' -- \"$word\")); return ;;\n",
                                  patterns, fmt::join(option.choices, " "));
    }
    cases += fmt::format("    {}) options='{}'; words='{}' ;;\n", command->text.name, names,
                         argument_words(app, *command));
  }
  return fmt::format(R"sh(# bash completion for w2w: eval "$(w2w completion bash)"
_w2w() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
  local command="${{COMP_WORDS[1]}}" options='' words=''
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '{} --help --version' -- "$word"))
    return
  fi
  case "$command:$previous" in
{}  esac
  case "$command" in
{}  esac
  if [[ "$word" == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$word"))
  else COMPREPLY=($(compgen -f -- "$word")); fi
}}
complete -o filenames -F _w2w w2w
)sh",
                     fmt::join(app.command_names(), " "), values, cases);
}

std::string zsh_script(const App& app) {
  std::string commands, cases;
  for (const auto& command : app.commands()) {
    commands += fmt::format("    '{}:{}'\n", command->text.name, plain(command->text.summary));
    std::string arguments;
    for (const auto& option : options_of(*command)) {
      const std::string action = !option.takes_value ? ""
                                 : option.choices.empty()
                                     ? ":value:_files"
                                     : fmt::format(":value:({})", fmt::join(option.choices, " "));
      for (const auto& name : option.names) {
        arguments += fmt::format(" \\\n        '*{}[{}]{}'", name, plain(option.help), action);
      }
    }
    const auto words = argument_words(app, *command);
    arguments +=
        words.empty() ? " \\\n        '*:file:_files'" : fmt::format(" \\\n        '*:word:({})'", words);
    cases += fmt::format("    {}) _arguments{} ;;\n", command->text.name, arguments);
  }
  return fmt::format(R"sh(#compdef w2w
# zsh completion for w2w: eval "$(w2w completion zsh)", or save as _w2w in a folder of $fpath
_w2w() {{
  local -a commands=(
{}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{}  esac
}}
compdef _w2w w2w
)sh",
                     commands, cases);
}

std::string fish_script(const App& app) {
  std::string text = "# fish completion for w2w: w2w completion fish | source\ncomplete -c w2w -e\n";
  for (const auto& command : app.commands()) {
    const auto& name = command->text.name;
    const auto in_command = fmt::format("-n '__fish_seen_subcommand_from {}'", name);
    text += fmt::format("complete -c w2w -n __fish_use_subcommand -f -a {} -d '{}'\n", name,
                        plain(command->text.summary));
    for (const auto& option : options_of(*command)) {
      std::string names, value;
      for (const auto& option_name : option.names) {
        names +=
            option_name.starts_with("--") ? " -l " + option_name.substr(2) : " -s " + option_name.substr(1);
      }
      if (!option.choices.empty())
        value = fmt::format(" -x -a '{}'", fmt::join(option.choices, " "));
      else if (option.takes_value)
        value = " -r";
      text += fmt::format("complete -c w2w {}{}{} -d '{}'\n", in_command, names, value, plain(option.help));
    }
    if (const auto words = argument_words(app, *command); !words.empty()) {
      text += fmt::format("complete -c w2w {} -f -a '{}'\n", in_command, words);
    }
  }
  return text;
}

}  // namespace

void add_completion(App& app) {
  auto shells = std::make_shared<std::vector<std::string>>();
  auto& parser = app.add_command(
      {.name = "completion",
       .summary = "completion script for a shell",
       .arguments = "bash|zsh|fish",
       .examples = {{"eval \"$(w2w completion bash)\"", "for this shell; put it into ~/.bashrc to keep it"},
                    {"w2w completion fish | source", "the same for fish"}}},
      [shells, &app](Reporter&) {
        if (shells->size() != 1) {
          throw Error(ErrorKind::usage, fmt::format("completion takes one shell, found {}", shells->size()),
                      "one of: bash, zsh, fish");
        }
        const auto& shell = shells->front();
        check_choice("the shell", shell, {"bash", "zsh", "fish"});
        fmt::print("{}", shell == "bash"  ? bash_script(app)
                         : shell == "zsh" ? zsh_script(app)
                                          : fish_script(app));
      });
  add_arguments(parser, "shell", *shells, "bash, zsh or fish");
}

}  // namespace w2w::cli
