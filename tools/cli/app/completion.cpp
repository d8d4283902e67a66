#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/app/app.h"
#include "cli/app/option_text.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"

// Completion scripts are generated from the tree of commands, so that they cannot fall behind it. A value
// name like "auto|cpu|cuda" lists the values there are; every other value completes as a path.

namespace w2w::cli {
namespace {

/// For the single-quoted strings of the three shells and the descriptions in zsh's brackets.
std::string plain(std::string text) {
  std::erase_if(text,
                [](char c) { return std::string_view("'\\[]:`$\"").find(c) != std::string_view::npos; });
  return text;
}

/// What may stand behind some words: options, and free arguments out of a list.
struct Place {
  std::string path;  ///< " space build"; empty: behind `w2w` itself
  std::vector<OptionText> options;
  std::vector<OptionText> words;  ///< names with their help; empty: files
};

std::vector<OptionText> names_with_help(const std::vector<std::unique_ptr<Command>>& commands) {
  std::vector<OptionText> names;
  for (const auto& command : commands)
    names.push_back({.names = {command->text.name}, .help = command->text.summary});
  return names;
}

std::vector<Place> places_of(const App& app) {
  std::vector<Place> places = {{"", {}, names_with_help(app.commands())}};
  places.front().options = {{.names = {"--help"}, .help = "show this help"},
                            {.names = {"--version"}, .help = "print versions and devices"}};
  for (const auto* command : app.tree()) {
    Place place{" " + command->path(), options_of(*command), names_with_help(command->actions)};
    if (command->text.name == "help") place.words = names_with_help(app.commands());
    if (command->text.name == "completion") place.words = {{{"bash"}}, {{"zsh"}}, {{"fish"}}};
    places.push_back(std::move(place));
    if (command->is_group())
      places.push_back({" help " + command->path(), {}, names_with_help(command->actions)});
  }
  return places;
}

std::string joined_names(const std::vector<OptionText>& all) {
  std::string text;
  for (const auto& one : all) text += fmt::format("{}{}", text.empty() ? "" : " ", fmt::join(one.names, " "));
  return text;
}

/// Patterns of a shell's `case` for all places but the first.
std::string known_paths(const std::vector<Place>& places) {
  std::string patterns;
  for (size_t i = 1; i < places.size(); ++i)
    patterns += fmt::format("{}'{}'", i == 1 ? "" : "|", places[i].path);
  return patterns;
}

std::string bash_script(const App& app) {
  const auto places = places_of(app);
  std::string cases, values;
  for (const auto& place : places) {
    for (const auto& option : place.options) {
      if (option.value.empty()) continue;
      std::string patterns;
      for (const auto& name : option.names)
        patterns += fmt::format("{}'{}:{}'", patterns.empty() ? "" : "|", place.path, name);
      values += option.choices.empty()
                    ? fmt::format("    {}) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n", patterns)
                    : fmt::format("    {}) COMPREPLY=($(compgen -W '{}' -- \"$word\")); return ;;\n",
                                  patterns, fmt::join(option.choices, " "));
    }
    cases += fmt::format("    '{}') options='{}'; words='{}' ;;\n", place.path, joined_names(place.options),
                         joined_names(place.words));
  }
  return fmt::format(R"sh(# bash completion for w2w: eval "$(w2w completion bash)"
_w2w() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
  local path='' options='' words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path ${{COMP_WORDS[i]}}" in
      {}) path="$path ${{COMP_WORDS[i]}}" ;;
    esac
  done
  case "$path:$previous" in
{}  esac
  case "$path" in
{}  esac
  if [[ "$word" == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$word"))
  else COMPREPLY=($(compgen -f -- "$word")); fi
}}
complete -o filenames -F _w2w w2w
)sh",
                     known_paths(places), values, cases);
}

std::string zsh_case(const Place& place) {
  std::string arguments;
  for (const auto& option : place.options) {
    const std::string action = option.value.empty() ? ""
                               : option.choices.empty()
                                   ? ":value:_files"
                                   : fmt::format(":value:({})", fmt::join(option.choices, " "));
    for (const auto& name : option.names)
      arguments += fmt::format(" \\\n        '*{}[{}]{}'", name, plain(option.help), action);
  }
  const auto words = joined_names(place.words);
  arguments +=
      words.empty() ? " \\\n        '*:file:_files'" : fmt::format(" \\\n        '*:word:({})'", words);
  return fmt::format("    '{}') _arguments{} ;;\n", place.path, arguments);
}

/// A list of names with what they mean, for _describe.
std::string zsh_names(const Place& place) {
  std::string text;
  for (const auto& word : place.words) text += fmt::format(" '{}:{}'", word.names.front(), plain(word.help));
  return fmt::format("    '{}') names=({}) ;;\n", place.path, text);
}

std::string zsh_script(const App& app) {
  const auto places = places_of(app);
  std::string names, cases;
  for (const auto& place : places) {
    const bool described = !place.words.empty() && !place.words.front().help.empty();
    (described ? names : cases) += described ? zsh_names(place) : zsh_case(place);
  }
  return fmt::format(R"sh(#compdef w2w
# zsh completion for w2w: eval "$(w2w completion zsh)", or save as _w2w in a folder of $fpath
_w2w() {{
  local at='' word
  local -a names
  integer known=0
  for word in "${{(@)words[2,CURRENT-1]}}"; do
    case "$at $word" in
      {}) at="$at $word"; (( known++ )) ;;
    esac
  done
  case "$at" in
{}  esac
  if (( $#names )); then
    _describe word names
    return
  fi
  shift $known words
  (( CURRENT -= known ))
  case "$at" in
{}  esac
}}
if [[ "$funcstack[1]" == _w2w ]]; then
  _w2w "$@"  # loaded from $fpath: this file is the function, at its first call
else
  compdef _w2w w2w
fi
)sh",
                     known_paths(places), names, cases);
}

/// The condition of being behind `command`: its words are there, those of its actions are not.
std::string fish_condition(const Command& command) {
  std::string text;
  if (command.group) text = fmt::format("__fish_seen_subcommand_from {}; and ", command.group->text.name);
  text += "__fish_seen_subcommand_from " + command.text.name;
  if (command.is_group()) {
    std::string names;
    for (const auto& action : command.actions) names += " " + action->text.name;
    text += "; and not __fish_seen_subcommand_from" + names;
  }
  return fmt::format("-n '{}'", text);
}

std::string fish_option(const OptionText& option) {
  std::string text;
  for (const auto& name : option.names)
    text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (!option.choices.empty()) {
    text += fmt::format(" -x -a '{}'", fmt::join(option.choices, " "));
  } else if (!option.value.empty()) {
    text += " -r";
  }
  return fmt::format("{} -d '{}'", text, plain(option.help));
}

std::string fish_script(const App& app) {
  std::string text = "# fish completion for w2w: w2w completion fish | source\ncomplete -c w2w -e\n";
  for (const auto& command : app.commands()) {
    text += fmt::format("complete -c w2w -n __fish_use_subcommand -f -a {} -d '{}'\n", command->text.name,
                        plain(command->text.summary));
  }
  for (const auto* command : app.tree()) {
    const auto condition = fish_condition(*command);
    for (const auto& option : options_of(*command))
      text += fmt::format("complete -c w2w {}{}\n", condition, fish_option(option));
    for (const auto& action : command->actions) {
      text += fmt::format("complete -c w2w {} -f -a {} -d '{}'\n", condition, action->text.name,
                          plain(action->text.summary));
    }
    const auto& name = command->text.name;
    if (name == "help" || name == "completion") {
      text += fmt::format(
          "complete -c w2w {} -f -a '{}'\n", condition,
          name == "help" ? fmt::format("{}", fmt::join(app.command_names(), " ")) : "bash zsh fish");
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
