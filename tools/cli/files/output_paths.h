#pragma once
// Where the outputs of a run go. All of it is settled, and every refusal made, before work begins.

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options/output_options.h"
#include "w2w/base/output_path.h"
#include "w2w/base/run.h"

namespace w2w::cli {

/// One file (or PEFT folder) a run is going to write: named STEM + SUFFIX in a folder.
struct PlannedOutput {
  std::string_view kind;    ///< a literal, as in --json: "coefficients", "picture", "lora", ...
  std::string stem;         ///< the identity: "person-7"
  std::string suffix;       ///< "_p1_s5.png"; its extension is what -o may name
  std::string prompt = {};  ///< of a picture
};

/// The paths of `planned`, in order. Without `output` they lie in the current folder. `output` names the file
/// itself when its extension is that of exactly one planned output of a kind (.png, .jpg and .jpeg all suit a
/// picture or sheet, .safetensors and .pt coefficients); the others then lie beside it, under its stem where
/// all have one stem.
/// Otherwise `output` is a folder, made if absent. Errors: usage when two outputs would have one name, or for
/// a file format that none of them has; failure when one exists (with Existing::refuse), would take the place
/// of a folder of other things, or cannot be written. A picture that exists and was drawn with another prompt
/// is no such failure: the new one's name gets words of its prompt. What killed runs left half there is
/// removed.
std::vector<OutputPath> plan_outputs(const std::optional<std::string>& output,
                                     const std::vector<PlannedOutput>& planned, Existing existing,
                                     const Run& run = {});

/// The outputs of one person of a plan.
class PersonOutputs {
 public:
  PersonOutputs(std::span<const OutputPath> paths, std::span<const std::string_view> kinds)
      : paths_(paths), kinds_(kinds) {}

  /// The first of `kind`; null without one.
  const OutputPath* find(std::string_view kind) const;
  /// The first of `kind`, which must be planned.
  const OutputPath& at(std::string_view kind) const;
  /// All of `kind`, which were planned one after the other.
  std::span<const OutputPath> all(std::string_view kind) const;
  std::span<const OutputPath> all() const { return paths_; }

 private:
  std::span<const OutputPath> paths_;
  std::span<const std::string_view> kinds_;
};

/// The outputs of a run, addressed by person and kind. Of a million people there is no more than their paths.
class OutputPlan {
 public:
  /// The outputs of the next person.
  void add(std::vector<PlannedOutput> outputs);
  /// plan_outputs of all that was added; afterwards the paths are known.
  void settle(const std::optional<std::string>& output, Existing existing, const Run& run = {});
  /// The same paths, of which nothing is checked or made.
  void look_up(const std::optional<std::string>& output, const Run& run = {});

  size_t people() const { return starts_.size(); }
  PersonOutputs operator[](size_t person) const;
  std::vector<OutputPath>& paths() { return paths_; }
  const std::vector<OutputPath>& paths() const { return paths_; }

 private:
  void settle(std::vector<OutputPath> paths);

  std::vector<PlannedOutput> planned_;  ///< until it is settled
  std::vector<size_t> starts_;          ///< of each person among the outputs
  std::vector<std::string_view> kinds_;
  std::vector<OutputPath> paths_;
};

/// Error(failure) when an earlier run left its state at `checkpoint`, which `force` allows to write over.
void keep_unfinished(const std::filesystem::path& checkpoint, bool force);

}  // namespace w2w::cli
