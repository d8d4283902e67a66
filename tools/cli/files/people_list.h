#pragma once
// --list: who is in a table and what there is of them, before or while it is worked on.

#include <filesystem>
#include <string>
#include <vector>

#include "cli/files/output_paths.h"
#include "cli/terminal/reporter.h"

namespace w2w::cli {

struct ListedPerson {
  std::string name;
  std::vector<std::filesystem::path> pictures;
  std::vector<std::filesystem::path> outputs;  ///< the first of them marks the end
  std::filesystem::path checkpoint;

  /// "finished", "unfinished" (there is a state to go on from) or "missing".
  std::string state() const;
};

/// --list of a command with a --batch-file.
void add_list_option(CLI::App& parser, bool& list);

/// A line each: name, state, number of pictures and output, tabs between; with --json the member "people".
void list_people(const std::vector<ListedPerson>& people, Reporter& reporter);

}  // namespace w2w::cli
