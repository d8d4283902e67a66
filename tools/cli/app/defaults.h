#pragma once
// Values of options that were not given: environment first, then the configuration file. CLI11's own order is
// the reverse (2.1.2), therefore both are done here, after the command line was parsed.

#include <CLI/App.hpp>

#include "cli/app/app.h"

namespace w2w::cli {

/// W2W_MODEL and so on, for shared options. A variable that is set but empty counts as not set.
void fill_from_environment(CLI::App& parser);

/// --config, or the file in $XDG_CONFIG_HOME/w2w (~/.config/w2w) if there is one. Keys are long option names;
/// those in a section [COMMAND] or [COMMAND.ACTION] count for that one only and before the others. A key no
/// command knows is an Error(usage).
void fill_from_config(const App& app, const Command& command);

}  // namespace w2w::cli
