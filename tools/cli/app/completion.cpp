#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/app/app.h"
#include "cli/app/option_text.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"

// Completion scripts are generated from the tree of commands, so that they cannot fall behind it. A value
// name like "auto|cpu|cuda" lists the values there are, one like "ATTR=STRENGTH" or "ATTR,..." begins with an
// attribute of the space, which the program itself tells of; every other value completes as a path.

namespace w2w::cli {
namespace {

/// For the single-quoted strings of the three shells and the descriptions in zsh's brackets.
std::string plain(std::string text) {
  std::erase_if(text,
                [](char c) { return std::string_view("'\\[]:`$\"").find(c) != std::string_view::npos; });
  return text;
}

/// Whether a value begins with the name of an attribute; `behind` is what follows that.
bool is_attribute(const OptionText& option) { return option.value.starts_with("ATTR"); }
char behind_attribute(const OptionText& option) { return option.value[std::string_view("ATTR").size()]; }

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

/// What bash does for an option's value; `prefix` is the option itself in "--option=value" where that is a
/// word.
std::string bash_value(const OptionText& option) {
  if (is_attribute(option)) return fmt::format("_w2w_attributes '{}'", behind_attribute(option));
  return option.choices.empty() ? "COMPREPLY=($(compgen -P \"$prefix\" -f -- \"$word\"))"
                                : fmt::format("COMPREPLY=($(compgen -P \"$prefix\" -W '{}' -- \"$word\"))",
                                              fmt::join(option.choices, " "));
}

// Names of attributes come from files: they are compared and quoted, never expanded as compgen -W does.
std::string bash_script(const App& app) {
  const auto places = places_of(app);
  std::string cases, values;
  for (const auto& place : places) {
    for (const auto& option : place.options) {
      if (option.value.empty()) continue;
      std::string patterns;
      for (const auto& name : option.names)
        patterns += fmt::format("{}'{}:{}'", patterns.empty() ? "" : "|", place.path, name);
      values += fmt::format("    {}) {}; return ;;\n", patterns, bash_value(option));
    }
    cases += fmt::format("    '{}') options='{}'; words='{}' ;;\n", place.path, joined_names(place.options),
                         joined_names(place.words));
  }
  return fmt::format(R"sh(# bash completion for w2w: eval "$(w2w completion bash)"
_w2w_attributes() {{
  local i option value name begin='' given=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    option="${{COMP_WORDS[i]}}" value="${{COMP_WORDS[i+1]}}"
    [ "$value" = = ] && value="${{COMP_WORDS[i+2]}}"
    case "$option" in
      --space=*|--labels=*|--directions=*|--config=*) given+=("$option") ;;
      --space|--labels|--directions|--config) given+=("$option" "${{value/#\~\//$HOME/}}") ;;
    esac
  done
  if [ "$1" = , ] && [[ "$word" == *,* ]]; then begin="${{word%,*}},"; fi
  compopt +o filenames -o nospace 2>/dev/null
  while IFS= read -r name; do
    [[ "$name" == "${{word#"$begin"}}"* ]] || continue
    printf -v name %q "$name"
    COMPREPLY+=("$prefix$begin$name$1")
  done < <("${{COMP_WORDS[0]}}" direction list --names -q "${{given[@]}}" 2>/dev/null)
}}
_w2w() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" prefix=''
  local path='' options='' words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path ${{COMP_WORDS[i]}}" in
      {}) path="$path ${{COMP_WORDS[i]}}" ;;
    esac
  done
  # --option=value is three words, or one where COMP_WORDBREAKS lacks the =
  if [[ "$word" == --*=* ]]; then previous="${{word%%=*}}" prefix="$previous=" word="${{word#*=}}"
  elif [ "$word" = = ]; then word=''
  elif [ "$previous" = = ]; then previous="${{COMP_WORDS[COMP_CWORD-2]}}"; fi
  case "$path:$previous" in
{}  esac
  case "$path" in
{}  esac
  if [ -n "$prefix" ]; then return
  elif [[ "$word" == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$word"))
  else COMPREPLY=($(compgen -f -- "$word")); fi
}}
complete -o filenames -F _w2w w2w
)sh",
                     known_paths(places), values, cases);
}

std::string zsh_action(const OptionText& option) {
  if (option.value.empty()) return "";
  if (is_attribute(option))
    return fmt::format(":attribute:{{ _w2w_attributes {} }}", behind_attribute(option));
  return option.choices.empty() ? ":value:_files"
                                : fmt::format(":value:({})", fmt::join(option.choices, " "));
}

std::string zsh_case(const Place& place) {
  std::string arguments;
  for (const auto& option : place.options) {
    const auto action = zsh_action(option);
    for (const auto& name : option.names) {
      const bool equals = !action.empty() && name.starts_with("--");  // --option value and --option=value
      arguments +=
          fmt::format(" \\\n        '*{}{}[{}]{}'", name, equals ? "=" : "", plain(option.help), action);
    }
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
_w2w_attributes() {{
  local option
  local -a names given
  for option in --space --labels --directions --config; do
    [[ -n "${{opt_args[$option]}}" ]] && given+=("$option" "${{(Q)opt_args[$option]}}")
  done
  names=("${{(@f)$("${{words_before[1]}}" direction list --names -q "${{given[@]}}" 2>/dev/null)}}")
  [[ "$1" == , ]] && compset -P '*,'
  compadd -q -S "$1" -a names
}}
_w2w() {{
  local at='' word
  local -a names
  local -a words_before=("${{(@)words}}")
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
  } else if (is_attribute(option)) {
    text += behind_attribute(option) == ',' ? " -x -a '(__fish_append , (__w2w_attributes))'"
                                            : " -x -a '(__w2w_attributes)='";
  } else if (!option.value.empty()) {
    text += " -r";
  }
  return fmt::format("{} -d '{}'", text, plain(option.help));
}

std::string fish_script(const App& app) {
  std::string text = R"sh(# fish completion for w2w: w2w completion fish | source
complete -c w2w -e
function __w2w_attributes
    set -l words (commandline -opc)
    set -l given
    for i in (seq 2 (count $words))
        switch $words[$i]
            case '--space=*' '--labels=*' '--directions=*' '--config=*'
                set -a given $words[$i]
            case --space --labels --directions --config
                set -a given $words[$i] $words[(math $i + 1)]
        end
    end
    command $words[1] direction list --names -q $given 2>/dev/null
end
)sh";
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
