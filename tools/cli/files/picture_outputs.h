#pragma once
// The pictures of a command: where they go, with their metadata, and the contact sheet.

#include <functional>
#include <string>
#include <vector>

#include "cli/files/output_paths.h"
#include "cli/options/picture_arguments.h"
#include "cli/options/shared_options.h"
#include "cli/terminal/reporter.h"
#include "w2w/engine/engine.h"
#include "w2w/engine/picture_metadata.h"
#include "w2w/engine/picture_sheet.h"
#include "w2w/engine/pictures.h"

namespace w2w::cli {

/// A person to draw. `arguments` name them on a command line ("sample --identity-seed 7 ..."): they go into
/// the pictures' metadata, so that `inspect` can print the command that makes a picture again.
struct Person {
  std::string stem;
  std::vector<std::string> arguments;
  Json facts = Json::object();  ///< members of --json and of the metadata, e.g. {{"identity_seed", 7}}
};

/// Everything decided before work begins: options, then the space's defaults, then those of docs/cli.md.
class PictureOutputs {
 public:
  /// Error(usage) for values no model takes. `options` and `reporter` must stay.
  PictureOutputs(const SharedOptions& options, const SpaceDefaults& defaults, Reporter& reporter);

  const PicturePlan& plan() const { return plan_; }
  /// One person's, prompt by prompt, seed by seed.
  std::vector<PlannedOutput> planned(const std::string& stem) const;

  /// Draws and writes all pictures of a person into `paths`, but for those that --skip-existing leaves.
  /// `before` of `total` pictures of the run are done.
  void draw(Engine& engine, const Lora& lora, const Person& person, std::span<const OutputPath> paths,
            size_t before, size_t total) const;
  /// The same for a sheet: all are drawn, and given back.
  std::vector<at::Tensor> draw_all(Engine& engine, const Lora& lora, const Person& person,
                                   std::span<const OutputPath> paths, size_t before, size_t total) const;

  /// The contact sheet of `people` people, named after the first. Error(usage) for more pictures than one can
  /// look at.
  PlannedOutput planned_sheet(const std::string& first, size_t people) const;

  /// Writes one picture that was drawn, with its metadata, beside the work that follows, and reports it.
  void write(const OutputPath& output, const Picture& picture, const Person& person) const;
  /// Writes a contact sheet of all pictures and reports it; `maker` stands for the command.
  void write_sheet(const OutputPath& output, const PictureSheet& sheet, const Engine& engine,
                   const Person& maker) const;

 private:
  PictureFacts facts(const Person& person, const TextToImageOptions& picture, const std::string& model,
                     const PromptsAndSeeds& drawn) const;

  const SharedOptions& shared_;
  Reporter& reporter_;
  PicturePlan plan_;
};

/// The people whose pictures come onto one sheet, in order.
struct PeopleOnSheet {
  std::vector<std::string> names;
  std::vector<std::vector<at::Tensor>> pictures;

  void add(std::string name, std::vector<at::Tensor> of_person) {
    names.push_back(std::move(name));
    pictures.push_back(std::move(of_person));
  }
  PictureSheet sheet(const PicturePlan& plan) const;
};

}  // namespace w2w::cli
