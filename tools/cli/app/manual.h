#pragma once
// The tree of commands as manual pages and as the tables of docs/cli.md: made of what help says, so that they
// cannot fall behind it.

#include <string>
#include <vector>

#include "cli/app/app.h"

namespace w2w::cli {

struct ManualPage {
  std::string file;  ///< "w2w-space-build.1"
  std::string text;  ///< in the macros of man(7)
};

/// w2w(1), then a page for each command and action.
std::vector<ManualPage> manual_pages(const App& app);

/// In Markdown: what several commands share first, then what each has of its own.
std::string option_tables(const App& app);

}  // namespace w2w::cli
