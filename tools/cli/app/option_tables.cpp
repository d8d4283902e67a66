#include <fmt/format.h>

#include <algorithm>

#include "cli/app/manual.h"
#include "cli/app/option_text.h"
#include "cli/options/option_groups.h"

namespace w2w::cli {
namespace {

using Options = std::vector<OptionText>;

std::string escaped(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

std::string table(const Options& options) {
  std::string text;
  for (const auto& option : options)
    text += fmt::format("| `{}` | {} |\n", escaped(option.usage()), escaped(option.help));
  return text.empty() ? text : "| option | meaning |\n|---|---|\n" + text + "\n";
}

bool is_long(const std::string& name) { return name.starts_with("--"); }

const OptionText* find(const Options& options, const OptionText& wanted) {
  const auto found = std::find_if(options.begin(), options.end(),
                                  [&](const auto& option) { return option.names == wanted.names; });
  return found == options.end() ? nullptr : &*found;
}

/// The options under the shared headings, as the first command that uses them has them.
Options shared_options(const App& app) {
  Options shared;
  for (const auto* command : app.tree()) {
    for (const auto& option : options_of(*command)) {
      if (is_shared_group(option.group) && option.help != unused_help && !find(shared, option))
        shared.push_back(option);
    }
  }
  return shared;
}

std::string shared_tables(const Options& shared) {
  std::string text =
      "### Options that several commands share\n\n"
      "They can also be set by environment variables, `W2W_` and the long name (`W2W_CFG_SCALE`).\n\n";
  for (const auto& group : all_groups) {
    Options those;
    std::copy_if(shared.begin(), shared.end(), std::back_inserter(those),
                 [&](const auto& option) { return option.group == group; });
    if (!those.empty()) text += fmt::format("#### {}\n\n{}", group, table(those));
  }
  return text;
}

/// A command's own options in a table, those it shares by their names.
std::string command_section(const Command& command, const Options& shared) {
  auto text =
      fmt::format("### `w2w {}`\n\n{}: `{}`\n\n", command.path(), command.text.summary, synopsis(command));
  if (command.is_group()) return text;
  if (const auto help = arguments_help(command); !help.empty())
    text += fmt::format("`{}`: {}\n\n", command.text.arguments, help);
  Options own;
  std::string common, unused;
  for (const auto& option : options_of(command)) {
    if (option.group == general_group) continue;
    const auto* known = is_shared_group(option.group) ? find(shared, option) : nullptr;
    auto& names = option.help == unused_help ? unused : common;
    if (option.help == unused_help || (known && known->help == option.help && known->value == option.value)) {
      names += fmt::format("{}`{}`", names.empty() ? "" : ", ",
                           *std::find_if(option.names.begin(), option.names.end(), is_long));
    } else {
      own.push_back(option);
    }
  }
  text += table(own);
  if (!common.empty()) text += fmt::format("Shared: {}.\n\n", common);
  if (!unused.empty()) text += fmt::format("Accepted without use: {}.\n\n", unused);
  return text;
}

}  // namespace

std::string option_tables(const App& app) {
  const auto shared = shared_options(app);
  auto text = shared_tables(shared);
  for (const auto* command : app.tree()) text += command_section(*command, shared);
  text.pop_back();  // the last empty line
  return text;
}

}  // namespace w2w::cli
