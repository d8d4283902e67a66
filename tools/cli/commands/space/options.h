#pragma once
// w2w space: its options, and one function for each of its actions.

#include <optional>
#include <string>
#include <vector>

#include "cli/options/shared_options.h"
#include "cli/terminal/reporter.h"
#include "w2w/space/build/builder.h"

namespace w2w::cli {

/// Each action has some of them.
struct SpaceOptions {
  std::string action;  ///< "build"
  SharedOptions shared;
  std::vector<std::string> arguments;

  BuildOptions build;
  std::string dtype = "auto";  ///< f32 for build, as stored for convert
  std::string method = "auto";
  std::optional<int64_t> components;
  std::optional<std::string> names, weights, base_model;
  std::optional<std::string> prompt, negative_prompt;
  std::optional<double> cfg_scale, spread;
  std::optional<int64_t> steps, width, height;
};

void run_space_build(const SpaceOptions& options, Reporter& reporter);
void run_space_convert(const SpaceOptions& options, Reporter& reporter);
void run_space_info(const SpaceOptions& options, Reporter& reporter);
void run_space_verify(const SpaceOptions& options, Reporter& reporter);

/// Where a space goes: --output, a folder. Refuses one that exists unless it is empty, or a space and --force
/// is given; makes the folder it lies in.
OutputPath plan_space_folder(const SpaceOptions& options, const Run& run);

/// `defaults` with what the options say of them.
SpaceDefaults with_options(SpaceDefaults defaults, const SpaceOptions& options);

/// The folder an action looks at: its argument, --space, or the demo world's.
std::filesystem::path space_folder(const SpaceOptions& options, const Run& run);

}  // namespace w2w::cli
