#pragma once
// The arguments of the program in the form that CLI11 reads as people mean them.

#include <memory>
#include <string>
#include <vector>

#include "cli/app/app.h"

namespace w2w::cli {

/// In the reverse order that CLI11 wants. Of a command with actions the action comes first, also where
/// options stood before it: `w2w space -q build` is `w2w space build -q`.
std::vector<std::string> parser_arguments(std::vector<std::string> arguments,
                                          const std::vector<std::unique_ptr<Command>>& commands);

}  // namespace w2w::cli
