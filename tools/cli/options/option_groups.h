#pragma once
// The headings options stand under in help. Options under the shared ones can also be set by environment
// variables.

#include <CLI/App.hpp>

#include <array>
#include <string>

namespace w2w::cli {

inline const std::string command_group = "Options";  // CLI11's own default
inline const std::string training_group = "Training";
inline const std::string class_group = "Class pictures";
inline const std::string model_group = "Model";
inline const std::string picture_group = "Pictures";
inline const std::string output_group = "Output";
inline const std::string general_group = "General";

/// The help of an option that a command takes only so that one set of options serves all commands.
inline const std::string unused_help = "no effect; accepted so that all commands take the same options";

/// In the order help shows them.
inline const std::array<std::string, 7> all_groups = {
    command_group, training_group, class_group, picture_group, model_group, output_group, general_group};

/// Whether the options under this heading mean the same in every command that has them.
inline bool is_shared_group(const std::string& group) {
  return group == model_group || group == picture_group || group == output_group || group == general_group;
}

/// "W2W_CFG_SCALE" for --cfg-scale; empty for options a variable cannot set: those of a single command, and
/// --help.
std::string environment_name(const CLI::Option& option);

}  // namespace w2w::cli
