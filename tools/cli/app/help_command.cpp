#include <fmt/format.h>

#include <filesystem>

#include "cli/app/app.h"
#include "cli/app/help.h"
#include "cli/app/manual.h"
#include "cli/options/option_values.h"
#include "cli/terminal/reporter.h"
#include "w2w/base/atomic_file.h"

namespace w2w::cli {
namespace {

struct HelpOptions {
  std::vector<std::string> names;
  std::optional<std::string> man;
  bool markdown = false;
};

void write_manual(const App& app, const std::filesystem::path& folder, Reporter& reporter) {
  std::filesystem::create_directories(folder);
  for (const auto& [file, text] : manual_pages(app)) {
    write_file({folder / file, /*replace=*/true}, text);
    reporter.output(folder / file, "manual");
  }
}

void run(const App& app, const HelpOptions& options, Reporter& reporter) {
  if (options.man) {
    write_manual(app, *options.man, reporter);
  } else if (options.markdown) {
    fmt::print("{}", option_tables(app));
  } else {
    fmt::print("{}", options.names.empty() ? overview(app) : command_help(app.command(options.names)));
  }
}

}  // namespace

void add_help(App& app) {
  auto options = std::make_shared<HelpOptions>();
  auto& parser = app.add_command({.name = "help",
                                  .summary = "help on a command",
                                  .arguments = "[COMMAND [ACTION]]",
                                  .examples = {{"w2w help tokens", "what `w2w tokens --help` shows"},
                                               {"w2w help space build", "of one action of a command"}}},
                                 [options, &app](Reporter& reporter) { run(app, *options, reporter); });
  add_arguments(parser, "command", options->names, "the command to explain");
  // What the build asks for: `cmake --install` and scripts/option_tables.py.
  add_text(parser, "--man", options->man, "FOLDER", "write the manual pages")->group("");
  add_switch(parser, "--markdown", options->markdown, "the tables of docs/cli.md")->group("");
}

}  // namespace w2w::cli
