#pragma once
// Where the outputs of a run go. All of it is settled, and every refusal made, before work begins.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/options/shared_options.h"
#include "w2w/base/output_path.h"

namespace w2w::cli {

/// One file (or PEFT folder) a run is going to write: named STEM + SUFFIX in a folder.
struct PlannedOutput {
  std::string kind;    ///< as in --json: "coefficients", "picture", "lora", ...
  std::string stem;    ///< the identity: "person-7"
  std::string suffix;  ///< "_p1_s5.png"; its extension is what -o may name
};

/// The paths of `planned`, in order. Without `output` they lie in the current folder. `output` names the file
/// itself when its extension is that of exactly one planned output of a kind (.png, .jpg and .jpeg all suit a
/// picture or sheet, .safetensors and .pt coefficients); the others then lie beside it under its stem.
/// Otherwise `output` is a folder, made if absent. Errors: usage when two outputs would have one name, or for
/// a file format that none of them has; failure when one exists (with Existing::refuse), would take the place
/// of a folder of other things, or cannot be written. What killed runs left half there is removed.
std::vector<OutputPath> plan_outputs(const std::optional<std::string>& output,
                                     const std::vector<PlannedOutput>& planned, Existing existing);

/// Error(failure) when an earlier run left its state at `checkpoint`, which `force` allows to write over.
void keep_unfinished(const std::filesystem::path& checkpoint, bool force);

}  // namespace w2w::cli
