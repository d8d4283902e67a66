#pragma once
#include <string>

#include "cli/app/app.h"

namespace w2w::cli {

/// `w2w` alone: what it is, what to type first, all commands.
std::string overview(const App& app);

/// `w2w CMD --help`: examples first, then usage and the options by group, or the actions.
std::string command_help(const Command& command);

}  // namespace w2w::cli
