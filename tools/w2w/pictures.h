#pragma once
// What `sample` and `render` have in common: every person times every prompt times every seed becomes a
// picture.

#include <filesystem>
#include <string>
#include <vector>

#include "w2w/output_paths.h"
#include "w2w/pipeline/text_to_image.h"
#include "w2w/reporter.h"
#include "w2w/shared_options.h"
#include "w2w/space/space.h"

namespace w2w::cli {

/// The model the options name.
TextToImage open_model(const SharedOptions& options);

/// A person to draw. `arguments` name them on a command line ("sample --identity-seed 7 ..."): they go into
/// the pictures' metadata, so that `inspect` can print the command that makes a picture again.
struct Person {
  std::string stem;
  std::vector<std::string> arguments;
  Json facts = Json::object();  ///< members of --json and of the metadata, e.g. {{"identity_seed", 7}}
};

/// The pictures of one run, everything resolved: options, then the space's defaults, then those of cli.md.
class PictureJob {
 public:
  /// `defaults` of the space, or those of cli.md when no space takes part. Error(usage) for values no model
  /// takes.
  PictureJob(const SharedOptions& options, const SpaceDefaults& defaults);

  size_t pictures_per_person() const { return prompts_.size() * seeds_.size(); }
  /// The outputs of one person, prompt by prompt, seed by seed.
  std::vector<PlannedOutput> planned(const std::string& stem) const;
  /// Draws them into `paths` with the person that `model` is set to, and reports each. `persons` and `index`:
  /// for progress over the whole run.
  void draw(TextToImage& model, const Person& person, const std::vector<std::filesystem::path>& paths,
            Reporter& reporter, size_t index, size_t persons) const;

 private:
  TextToImageOptions picture(size_t prompt, size_t seed) const;
  Metadata metadata(const TextToImage& model, const Person& person, const TextToImageOptions& picture) const;

  const SharedOptions& shared_;
  std::vector<std::string> prompts_, negative_prompts_;
  std::vector<uint64_t> seeds_;
  TextToImageOptions base_;
};

}  // namespace w2w::cli
