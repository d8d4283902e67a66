#pragma once
// People out of pictures, for any front end: step, look, save, resume.

#include <optional>
#include <string>
#include <vector>

#include "w2w/base/run.h"
#include "w2w/engine/engine.h"
#include "w2w/engine/person_run.h"
#include "w2w/engine/picture_sheet.h"
#include "w2w/engine/smoothed_loss.h"
#include "w2w/io/image.h"
#include "w2w/pipeline/inversion.h"
#include "w2w/pipeline/run_checkpoint.h"

namespace w2w {

/// What is chosen of a kind of pictures and an algorithm, before single numbers are.
enum class InversionPreset {
  real,  ///< photographs: the paper's numbers
  ood,   ///< "out of domain": paintings, cartoons
};
enum class InversionMethod {
  reference,  ///< the paper's
  fast,       ///< 100 steps in units of the training models' spread, the rate falling to 0
};

InversionOptions inversion_preset(InversionPreset preset, InversionMethod method);

/// A picture of a person, and which part of it shows the person.
struct PersonPicture {
  Image image;
  std::string name;  ///< for messages and the history
  std::optional<Image> mask = {};
  std::string mask_name = {};
};

/// How pictures are brought to the model's size, and masks to weights: see fit_picture.
struct PictureFitting {
  Fit fit = Fit::crop;
  std::vector<int64_t> mask_labels = {};
};

class InversionRun;

/// Inversions with the same options in one engine.
class Inverter {
 public:
  /// `more`: what else a checkpoint must agree in, by name. `engine` has a space and must stay.
  Inverter(Engine& engine, InversionOptions options, PictureFitting fitting, const RunDescription& more = {},
           const Run& run = {});

  const InversionOptions& options() const { return inversion_.options(); }
  /// The larger side in pixels that a picture is brought to: more need not be decoded, or, `masked`, of a
  /// part of it.
  int64_t picture_side(bool masked) const;

  /// One person from one or several pictures, at zero coefficients. The inverter must stay, too.
  std::unique_ptr<InversionRun> start(const std::vector<PersonPicture>& pictures, const Run& run = {});

 private:
  friend class InversionRun;
  Engine& engine_;
  PictureFitting fitting_;
  Inversion inversion_;
  RunDescription description_;  ///< of every person's run, but for the pictures
};

class InversionRun final : public PersonRun {
 public:
  InversionRun(Inverter& inverter, const std::vector<InversionPicture>& pictures, RunDescription description,
               std::vector<std::string> names);

  void step();
  const InversionState& state() const { return walk_->state(); }
  int64_t steps() const override { return state().steps(); }
  double loss() const override;
  double usual_loss() const override { return usual_; }
  void save(const std::filesystem::path& checkpoint) const override;
  void resume(const std::filesystem::path& checkpoint) override;

  /// The person as found so far, with what made it as history.
  Identity person() const;
  /// The person as found so far, drawn in so many steps as the space's people are, with the run's seed.
  Picture preview(int64_t denoising_steps, const Run& run = {}) const;
  /// The pictures as the model was given them, u8 [H, W, 3], beside what was found: with `found` drawn.
  PictureSheet sheet(const at::Tensor& found) const;
  /// Losses as CSV: step,loss,smoothed.
  std::string loss_table() const;

 private:
  Inverter& inverter_;
  std::vector<InversionPicture> pictures_;
  RunDescription description_;
  std::vector<std::string> names_;
  std::optional<InversionWalk> walk_;
  SmoothedLoss smoothed_;
  double usual_ = 0;
};

}  // namespace w2w
