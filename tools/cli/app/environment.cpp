#include "cli/app/environment.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>

#include "cli/options/option_groups.h"
#include "cli/options/option_values.h"
#include "w2w/base/nearest_name.h"

namespace w2w::cli {
namespace {

constexpr std::string_view prefix = "W2W_";

/// Those that other parts of w2w read, without the prefix: the program itself, then its scripts and tests.
constexpr std::string_view of_others[] = {"SHARE", "BUILD", "DEPS", "FULL_SIZE", "JOBS", "SLURM"};

std::vector<std::string> variables_given() {
  std::vector<std::string> names;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text = *entry;
    if (text.starts_with(prefix))
      names.emplace_back(text.substr(prefix.size(), text.find('=') - prefix.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_of_others(const std::string& name) {
  return name.starts_with("SLURM_") ||
         std::find(std::begin(of_others), std::end(of_others), name) != std::end(of_others);
}

/// COUNT of --count.
std::string variable_of(std::string option) {
  for (char& c : option) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return option;
}

/// What variables can set, and the options that they cannot, all named as variables.
struct Names {
  std::set<std::string> read, unread;

  explicit Names(const App& app) {
    for (const auto* command : app.tree()) {
      for (const auto* option : command->parser->get_options()) {
        if (const auto name = environment_name(*option); !name.empty())
          read.insert(name.substr(prefix.size()));
        if (option->get_group().empty()) continue;
        for (const auto& name : option->get_lnames()) unread.insert(variable_of(name));
      }
    }
    for (const auto& name : read) unread.erase(name);
  }
};

std::string option_of(std::string variable) {
  for (char& c : variable)
    c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return "--" + variable;
}

std::string advice(const std::string& name, const Names& names) {
  const auto near = [&](const std::set<std::string>& all) {
    return all.contains(name) ? name : nearest_name(name, {all.begin(), all.end()}).value_or("");
  };
  if (const auto known = near(names.read); !known.empty() && !names.unread.contains(name))
    return fmt::format(": did you mean {}{}?", prefix, known);
  if (const auto option = near(names.unread); !option.empty())
    return fmt::format(": {} is set on the command line or in config.toml", option_of(option));
  return "";
}

}  // namespace

void warn_of_unread_variables(const App& app, const Run& run) {
  const auto given = variables_given();
  if (given.empty()) return;
  const Names names(app);
  for (const auto& name : given) {
    if (!names.read.contains(name) && !is_of_others(name))
      run.warn(
          fmt::format("the environment variable {}{} sets nothing{}", prefix, name, advice(name, names)));
  }
}

}  // namespace w2w::cli
