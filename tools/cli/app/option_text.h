#pragma once
// The options of a command as help, completion and the manual show them.

#include <string>
#include <vector>

#include "cli/app/app.h"

namespace w2w::cli {

inline const std::string program_summary = "people as points in the weight space of a diffusion model";
inline const std::string program_description =
    "Draw new ones, see them in any scene, find yours from a picture, change an attribute.";

struct OptionText {
  std::vector<std::string> names = {};    ///< "-s", "--seed": the short ones first
  std::string value = {};                 ///< "LIST"; empty: it takes none
  std::vector<std::string> choices = {};  ///< of a value like "auto|cpu|cuda"
  std::string group = {}, help = {};

  /// "-s, --seed LIST"
  std::string usage() const;
};

/// Without arguments and what help does not show; --help comes last.
std::vector<OptionText> options_of(const Command& command);

/// The explanation of the free arguments, empty without any.
std::string arguments_help(const Command& command);

/// Of a command with actions, the first example of each.
std::vector<Example> examples_of(const Command& command);

/// "w2w space ACTION [OPTIONS]".
std::string synopsis(const Command& command);

/// How its options can be set other than on the command line, with variables that the command reads.
std::string settings_text(const Command& command);

}  // namespace w2w::cli
