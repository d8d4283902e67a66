#pragma once
// The program as a tree of commands: a command is a text for help, a set of options and a function that runs
// it.

#include <CLI/App.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/terminal/general_options.h"
#include "w2w/base/error.h"

namespace w2w::cli {

class Reporter;

struct Example {
  std::string command;  ///< "w2w sample --count 4"
  std::string effect;   ///< "four people who never existed"
};

/// What help says of a command; `arguments` is its free part, "IDENTITY...".
struct CommandText {
  std::string name, summary;
  std::string arguments = {};
  std::vector<Example> examples = {};
  std::string notes = {};  ///< a paragraph that explains what it prints
};

/// One command: its options live in `parser`, `run` is called after all of them are known. A command with
/// actions, such as `space`, has nothing but these.
struct Command {
  CommandText text;
  const Command* group = nullptr;  ///< of an action: the command it belongs to
  CLI::App* parser = nullptr;
  GeneralOptions general;
  std::optional<std::string> config;
  std::function<void(Reporter&)> run;
  std::vector<std::unique_ptr<Command>> actions;

  bool is_group() const { return !actions.empty(); }
  /// "space build", or with another separator "space.build".
  std::string path(char separator = ' ') const;
};

class App {
 public:
  App();
  ~App();

  /// Adds a command with the general options (-h, -q, -v, --json, ...); its own options go into the returned
  /// parser.
  CLI::App& add_command(CommandText text, std::function<void(Reporter&)> run);

  /// A command whose first argument is one of several actions, each with options of its own. Options may also
  /// stand before the action.
  Command& add_group(CommandText text);
  CLI::App& add_action(Command& group, CommandText text, std::function<void(Reporter&)> run);

  /// Parses, fills what was not given from the environment and the configuration file, and runs the command.
  void run(const std::vector<std::string>& arguments);

  /// After run() threw: prints what was written before, and with --json the error too.
  void report_failure(const std::vector<std::string>& typed, const Error& error) noexcept;

  const std::vector<std::unique_ptr<Command>>& commands() const { return commands_; }
  std::vector<std::string> command_names() const;
  /// Commands and actions, each behind its group, in the order of help.
  std::vector<const Command*> tree() const;
  /// That of "space", "build"; Error(usage) with the nearest name when there is none.
  const Command& command(const std::vector<std::string>& words) const;
  const CLI::App& root() const { return root_; }

 private:
  Command* parse(const std::vector<std::string>& arguments);
  Command* parsed() const;

  CLI::App root_;
  bool version_wanted_ = false;
  std::vector<std::unique_ptr<Command>> commands_;
  Command* current_ = nullptr;
  std::unique_ptr<Reporter> reporter_;  ///< of the command that runs
};

/// One function a command, each in the file of its name; command_table.cpp calls them all in the order help
/// shows.
void add_all_commands(App& app);
void add_compare(App& app);
void add_completion(App& app);
void add_direction(App& app);
void add_doctor(App& app);
void add_edit(App& app);
void add_export(App& app);
void add_help(App& app);
void add_import(App& app);
void add_inspect(App& app);
void add_interpolate(App& app);
void add_invert(App& app);
void add_nearest(App& app);
void add_render(App& app);
void add_sample(App& app);
void add_space(App& app);
void add_tokens(App& app);
void add_train(App& app);

}  // namespace w2w::cli
