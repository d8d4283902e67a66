#pragma once
// What `sample` and `render` have in common: every person times every prompt times every seed becomes a
// picture.

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "cli/commands/picture_metadata.h"
#include "cli/files/output_paths.h"
#include "cli/options/shared_options.h"
#include "cli/terminal/reporter.h"
#include "w2w/pipeline/text_to_image.h"
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
  /// What is to be drawn of every person, in the same order.
  std::vector<TextToImageOptions> pictures() const;
  /// Draws them into `paths` with the person that `model` is set to, and reports each; without paths they are
  /// only returned, u8 [H, W, 3]. `persons` and `index`: for progress over the whole run. What
  /// --skip-existing leaves is not written, nor drawn unless `draw_all`: then there is no tensor.
  std::vector<at::Tensor> draw(TextToImage& model, const Person& person, std::span<const OutputPath> paths,
                               Reporter& reporter, size_t index, size_t persons, bool draw_all = false) const;

  /// Writes one picture that was drawn, with its metadata, beside the work that follows, and reports it.
  void write(const OutputPath& output, const at::Tensor& pixels, const TextToImage& model,
             const Person& person, const TextToImageOptions& picture, Reporter& reporter) const;
  /// Writes a contact sheet of all pictures (io/picture_sheet.h) and reports it; `maker` stands for the
  /// command.
  void write_sheet(const OutputPath& output, const at::Tensor& pixels, const TextToImage& model,
                   const Person& maker, Reporter& reporter) const;
  /// What tells pictures()[index] from the others on a sheet: "seed 5", after the prompt if there are
  /// several.
  std::string label(size_t index) const;

 private:
  PictureFacts facts(const TextToImage& model, const Person& person, const TextToImageOptions& picture) const;

  const SharedOptions& shared_;
  std::vector<std::string> prompts_, negative_prompts_;
  std::vector<uint64_t> seeds_;
  TextToImageOptions base_;
};

}  // namespace w2w::cli
