#pragma once
// LoRAs of people from their pictures, for any front end: step, look, save, resume.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "w2w/base/run.h"
#include "w2w/engine/engine.h"
#include "w2w/engine/person_run.h"
#include "w2w/engine/smoothed_loss.h"
#include "w2w/io/image.h"
#include "w2w/pipeline/dreambooth.h"
#include "w2w/pipeline/inversion_picture.h"
#include "w2w/pipeline/run_checkpoint.h"

namespace w2w {

/// A picture to learn from.
struct CaptionedPicture {
  Image image;
  std::string name;    ///< for messages
  std::string prompt;  ///< what it shows; empty: the run's prompt
};

class TrainingRun;

/// Trainings with the same options in one engine.
class Trainer {
 public:
  /// `more`: what else a checkpoint must agree in, by name. `engine` must stay; it needs no space.
  Trainer(Engine& engine, DreamboothOptions options, Fit fit, const RunDescription& more = {});

  const DreamboothOptions& options() const { return dreambooth_.options(); }
  /// The larger side in pixels that a picture is brought to: more need not be decoded.
  int64_t picture_side() const;

  /// A class picture of prior preservation, by the base model: guidance 7.5, 50 steps.
  Picture draw_class_picture(uint64_t seed, const Run& run = {});
  /// Needed before the first step unless prior_weight is 0.
  void set_class_pictures(const std::vector<CaptionedPicture>& pictures, const Run& run = {});

  /// One person; `start` is a LoRA in place of random factors. Error(failure) when it has another rank or
  /// other layers. The trainer must stay, too.
  std::unique_ptr<TrainingRun> start(const std::vector<CaptionedPicture>& pictures,
                                     const std::optional<std::filesystem::path>& start = {});
  /// Error(failure) when nothing can start from the LoRA at `path`.
  TrainingState start_from(const std::filesystem::path& path);

  /// One step of all these people, TrainingRuns of this trainer, in one pass.
  void step(std::span<PersonRun* const> people);

 private:
  friend class TrainingRun;
  TrainingPicture encode(const CaptionedPicture& picture, const std::string& prompt, PictureHash& hash);

  Engine& engine_;
  Fit fit_;
  Dreambooth dreambooth_;
  RunDescription description_;  ///< of everybody's run, but for their pictures
  int64_t class_pictures_ = 0;
};

class TrainingRun final : public PersonRun {
 public:
  TrainingRun(Trainer& trainer, Trainee trainee, RunDescription description, std::string start)
      : trainer_(trainer),
        trainee_(std::move(trainee)),
        description_(std::move(description)),
        start_(std::move(start)) {}

  const TrainingState& state() const { return trainee_.state; }
  int64_t steps() const override { return state().steps(); }
  double loss() const override;
  double usual_loss() const override { return usual_; }
  void save(const std::filesystem::path& checkpoint) const override;
  void resume(const std::filesystem::path& checkpoint) override;

  Lora lora() const { return trainer_.dreambooth_.lora(state()); }
  /// What its file says of it: model, trigger and history, without coefficients.
  Identity description() const;
  /// Losses as CSV: step,loss,instance,prior.
  std::string loss_table() const;

 private:
  friend class Trainer;
  double weighted(const TrainingLoss& loss) const;
  void note_loss();

  Trainer& trainer_;
  Trainee trainee_;
  RunDescription description_;
  std::string start_;  ///< name of the LoRA it starts from, or empty
  SmoothedLoss smoothed_;
  double usual_ = 0;  ///< of the instance pictures
};

}  // namespace w2w
