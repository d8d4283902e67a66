#include <fmt/format.h>

#include <algorithm>

#include "cli/app/help.h"
#include "cli/app/manual.h"
#include "cli/app/option_text.h"
#include "cli/options/option_groups.h"
#include "w2w/base/version.h"

namespace w2w::cli {
namespace {

/// What roff would take for a command, or print as another character than the one typed.
std::string roff(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '\\':
        escaped += "\\e";
        break;
      case '-':
        escaped += "\\-";
        break;
      case '\'':
        escaped += "\\(aq";
        break;
      case '`':
        escaped += "\\(ga";
        break;
      case '^':
        escaped += "\\(ha";
        break;
      case '~':
        escaped += "\\(ti";
        break;
      case '|':
        escaped += "|\\:";  // a long list of choices may be broken here
        break;
      default:
        escaped += c;
    }
  }
  return escaped.starts_with('.') ? "\\&" + escaped : escaped;
}

std::string bold_roff(std::string_view text) { return "\\fB" + roff(text) + "\\fR"; }

std::string tagged(const std::string& tag, std::string_view text) {
  return fmt::format(".TP\n{}\n{}\n", tag, roff(text));
}

std::string section(const std::string& name, const std::string& text) {
  return text.empty() ? text : fmt::format(".SH {}\n{}", name, text);
}

std::string page_name(const Command* command) { return command ? "w2w-" + command->path('-') : "w2w"; }

std::string head(const Command* command, const std::string& summary, const std::string& synopsis) {
  auto title = page_name(command);
  std::transform(title.begin(), title.end(), title.begin(), [](unsigned char c) { return std::toupper(c); });
  return fmt::format(".TH {} 1 \"\" \"w2w {}\" \"w2w manual\"\n.nh\n.ad l\n", roff(title), version()) +
         section("NAME", fmt::format("{} \\- {}\n", roff(page_name(command)), roff(summary))) +
         section("SYNOPSIS", roff(synopsis) + "\n");
}

std::string option_roff(const OptionText& option) {
  std::string tag;
  for (const auto& name : option.names) tag += (tag.empty() ? "" : ", ") + bold_roff(name);
  if (!option.value.empty()) tag += " \\fI" + roff(option.value) + "\\fR";
  return tagged(tag, option.help);
}

std::string options_roff(const Command& command) {
  std::string text;
  const auto options = options_of(command);
  for (const auto& group : all_groups) {
    std::string those;
    for (const auto& option : options) {
      if (option.group == group) those += option_roff(option);
    }
    if (!those.empty()) text += (group == command_group ? "" : fmt::format(".SS {}\n", group)) + those;
  }
  return text;
}

std::string examples_roff(const std::vector<Example>& examples) {
  std::string text;
  for (const auto& [command, effect] : examples) text += tagged(bold_roff(command), effect);
  return text;
}

std::string names_roff(const std::vector<std::unique_ptr<Command>>& commands) {
  std::string text;
  for (const auto& command : commands)
    text += tagged(fmt::format("{}(1)", bold_roff(page_name(command.get()))), command->text.summary);
  return text;
}

std::string page_of(const Command& command) {
  const auto& text = command.text;
  std::string description;
  if (const auto help = arguments_help(command); !help.empty())
    description += tagged(roff(text.arguments), help);
  for (const auto& paragraph : {text.notes, settings_text(command)}) {
    if (!paragraph.empty()) description += (description.empty() ? "" : ".PP\n") + roff(paragraph) + "\n";
  }
  return head(&command, text.summary, synopsis(command)) +
         section("EXAMPLES", examples_roff(examples_of(command))) + section("DESCRIPTION", description) +
         section("ACTIONS", names_roff(command.actions)) + section("OPTIONS", options_roff(command)) +
         section("SEE ALSO", fmt::format("{}(1)\n", bold_roff(page_name(command.group))));
}

std::string page_of(const App& app) {
  const auto exit_codes = tagged("0", "done") + tagged("1", "failure") + tagged("2", "usage") +
                          tagged("3", "an unreadable or malformed file") +
                          tagged("4", "a model, space or file that was not found") +
                          tagged("5", "out of memory") + tagged("130", "interrupted");
  const auto environment = roff(
                               "Options of the groups Model, Pictures, Output and General are read from "
                               "variables too: W2W_ and the "
                               "long name, such as W2W_MODEL or W2W_CFG_SCALE. An option on the command line "
                               "comes first, then the "
                               "variable, then --config, then config.toml.") +
                           "\n";
  return head(nullptr, program_summary, "w2w COMMAND [OPTIONS]") +
         section("COMMANDS", names_roff(app.commands())) + section("ENVIRONMENT", environment) +
         section("FILES", tagged(roff("$XDG_CONFIG_HOME/w2w/config.toml"),
                                 "settings, as in: steps = 30. Those of one command stand below [COMMAND] or "
                                 "[COMMAND.ACTION].")) +
         section("EXIT STATUS", exit_codes);
}

}  // namespace

std::vector<ManualPage> manual_pages(const App& app) {
  std::vector<ManualPage> pages = {{"w2w.1", page_of(app)}};
  for (const auto* command : app.tree()) pages.push_back({page_name(command) + ".1", page_of(*command)});
  return pages;
}

}  // namespace w2w::cli
