#pragma once
// The arguments of the program in the form that CLI11 reads as people mean them.

#include <memory>
#include <string>
#include <vector>

#include "cli/app/app.h"

namespace w2w::cli {

/// The command first, then its action, also where options stood before them: `w2w -q space --json build` is
/// `w2w space build --json -q`.
std::vector<std::string> command_first(std::vector<std::string> arguments,
                                       const std::vector<std::unique_ptr<Command>>& commands);

/// In the reverse order and the form that CLI11 wants.
std::vector<std::string> parser_arguments(const std::vector<std::string>& arguments);

}  // namespace w2w::cli
