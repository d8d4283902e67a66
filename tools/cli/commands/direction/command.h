#pragma once
// w2w direction: the options of its actions, which run in the files of their names.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/options/attribute_options.h"
#include "cli/options/shared_options.h"
#include "cli/terminal/reporter.h"

namespace w2w::cli {

struct DirectionOptions {
  SharedOptions shared;
  AttributeChoice attributes;

  bool names_only = false;  ///< what only `list` takes

  // What only `fit` takes.
  std::vector<std::string> tables;  ///< of labels
  std::vector<std::string> names;   ///< --attributes as typed
  std::vector<std::string> without;
  std::optional<std::string> method;
  std::optional<double> penalty, holdout;
  std::optional<uint64_t> seed;
  bool debias = false;
};

void run_direction_list(const DirectionOptions& options, Reporter& reporter);
void run_direction_fit(const DirectionOptions& options, Reporter& reporter);

}  // namespace w2w::cli
