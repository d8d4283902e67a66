#include "cli/app/defaults.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "cli/app/config_file.h"
#include "cli/app/signals.h"
#include "cli/options/expanded_path.h"
#include "cli/options/option_groups.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"

namespace w2w::cli {
namespace {

bool given(const CLI::Option& option) { return option.count() > 0; }

bool is_switch(const CLI::Option& option) { return option.get_items_expected_max() == 0; }

bool is_path(const CLI::Option& option) {
  const auto value = option.get_type_name();
  return value == "PATH" || value == "FILE" || value == "FOLDER";
}

/// Sets `option` as if `values` had been given; an error names `source` as well.
void set_option(CLI::Option& option, std::vector<std::string> values, const std::string& source) {
  const std::string name = "--" + option.get_lnames().front();
  try {
    if (values.size() > 1 && option.get_multi_option_policy() != CLI::MultiOptionPolicy::TakeAll) {
      throw Error(ErrorKind::usage, fmt::format("{} expects one value, found {}", name, values.size()));
    }
    if (is_switch(option))
      values = {parse_switch(name, values.empty() ? "" : values.front()) ? "true" : "false"};
    if (values.empty()) return;
    if (is_path(option)) std::transform(values.begin(), values.end(), values.begin(), expanded_path);
    for (const auto& value : values) option.add_result(value);
    option.run_callback();
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{} ({})", error.what(), source), error.hint());
  }
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// The files that are read, the one that counts more first.
std::vector<std::filesystem::path> config_paths(const Command& command) {
  std::vector<std::filesystem::path> paths;
  if (command.config) paths.emplace_back(*command.config);
  std::filesystem::path folder = environment("XDG_CONFIG_HOME");
  if (folder.empty() && !environment("HOME").empty())
    folder = std::filesystem::path(environment("HOME")) / ".config";
  if (folder.empty()) return paths;
  const auto path = folder / "w2w" / "config.toml";
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) paths.push_back(path);
  return paths;
}

std::vector<std::string> configurable_names(const CLI::App& parser) {
  std::vector<std::string> names;
  for (const auto* option : parser.get_options()) {
    if (option == parser.get_help_ptr() || option->get_group().empty()) continue;
    if (option->check_lname("config")) continue;  // a file names no other
    for (const auto& name : option->get_lnames()) names.push_back(name);
  }
  return names;
}

/// Keys may be written with _ as well: cfg_scale.
std::string option_key(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return key;
}

/// Those that a section counts for: [space] for all its actions, [space.build] for one, none for everything.
std::vector<const Command*> commands_of(const App& app, const std::string& section,
                                        const std::string& source) {
  const auto all = app.tree();
  if (section.empty()) return all;
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto* one) { return one->path('.') == section; });
  if (found == all.end()) {
    std::vector<std::string> names;
    for (const auto* command : all) names.push_back(command->path('.'));
    throw Error(ErrorKind::usage, fmt::format("unknown section [{}] ({})", section, source),
                suggest(section, names));
  }
  std::vector<const Command*> those = {*found};
  for (const auto& action : (*found)->actions) those.push_back(action.get());
  return those;
}

void check_key(const App& app, const ConfigEntry& entry, const std::string& source) {
  std::vector<std::string> known;
  for (const auto* command : commands_of(app, entry.section, source)) {
    for (auto& name : configurable_names(*command->parser)) known.push_back(std::move(name));
  }
  const auto key = option_key(entry.key);
  if (std::find(known.begin(), known.end(), key) != known.end()) return;
  const auto near = nearest_name(key, known);
  throw Error(ErrorKind::usage, fmt::format("unknown setting '{}' ({})", entry.key, source),
              near ? fmt::format("did you mean '{}'?", *near) : "a setting is the long name of an option");
}

/// Whether `--key` is an option of some command that all its kind share: "steps" is, though `invert` has a
/// --steps of its own that counts something else.
bool is_shared(const App& app, const std::string& key) {
  const auto all = app.tree();
  return std::any_of(all.begin(), all.end(), [&](const auto* command) {
    const auto* option = command->parser->get_option_no_throw("--" + key);
    return option && is_shared_group(option->get_group());
  });
}

void fill_from_file(const App& app, const Command& command, const std::filesystem::path& path) {
  const auto entries = read_config_file(path, {.stop = &stop_by_signal()});
  const auto source = [&](const ConfigEntry& entry) {
    return fmt::format("{}, line {}", path.string(), entry.line);
  };
  for (const auto& entry : entries) check_key(app, entry, source(entry));
  std::vector<std::string> sections;  // the one that counts most first
  for (const auto* one = &command; one; one = one->group) sections.push_back(one->path('.'));
  sections.emplace_back();
  for (const auto& section : sections) {
    for (const auto& entry : entries) {
      if (entry.section != section) continue;
      const auto key = option_key(entry.key);
      auto* option = command.parser->get_option_no_throw("--" + key);
      if (!option || given(*option)) continue;
      const bool another = section.empty() && !is_shared_group(option->get_group()) && is_shared(app, key);
      if (!another) set_option(*option, entry.values, source(entry));
    }
  }
}

}  // namespace

std::string environment_name(const CLI::Option& option) {
  if (!is_shared_group(option.get_group()) || option.get_lnames().empty() || option.check_lname("help"))
    return {};
  std::string name = "W2W_" + option.get_lnames().front();
  for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

void fill_from_environment(CLI::App& parser) {
  for (auto* option : parser.get_options([](CLI::Option*) { return true; })) {
    const auto name = environment_name(*option);
    if (name.empty() || given(*option)) continue;
    const auto value = environment(name.c_str());
    if (!value.empty()) set_option(*option, {value}, "environment variable " + name);
  }
}

void fill_from_config(const App& app, const Command& command) {
  for (const auto& path : config_paths(command)) fill_from_file(app, command, path);
}

}  // namespace w2w::cli
