// w2w train: LoRAs of people from their pictures.

#include <fmt/format.h>

#include "cli/app/app.h"
#include "cli/commands/train/class_pictures.h"
#include "cli/commands/train/plan.h"
#include "cli/files/lora_output.h"
#include "cli/files/space_choice.h"
#include "cli/terminal/reporter.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"
#include "w2w/device/device.h"
#include "w2w/io/image.h"

namespace w2w::cli {
namespace {

class TrainCommand {
 public:
  TrainCommand(const TrainOptions& options, Reporter& reporter)
      : options_(options), reporter_(reporter), run_(reporter.run()) {}

  void run() {
    const auto& training = options_.training;
    if (options_.list) return list();
    if (options_.prepare && training.prior_weight == 0)
      return run_.notice("--prior-weight 0 uses no class pictures: nothing to prepare");
    if (!options_.prepare) {
      tasks_ = plan_trainings(options_, run_);
      if (tasks_.empty()) return;
    }
    engine_.emplace(open_engine(options_.shared, {}, run_));
    trainer_.emplace(*engine_, training, parse_fit(options_.fit),
                     RunDescription{{"dtype", options_.shared.dtype}});
    if (options_.start)
      trainer_->start_from(
          *options_.start);  // checked here, so that one error is not repeated for each person
    if (training.prior_weight > 0) {
      const auto paths = make_class_pictures(options_, *trainer_, reporter_);
      if (options_.prepare) return;
      std::vector<CaptionedPicture> pictures;
      for (const auto& path : paths) pictures.push_back(read_picture({path, training.class_prompt}));
      trainer_->set_class_pictures(pictures, run_);
    }

    PeopleWork work;
    work.verb = "training";
    work.participle = "trained";
    work.steps = training.steps;
    work.learning_rate = training.learning_rate;
    work.together = static_cast<size_t>(options_.together);
    work.several = options_.batch_file.has_value();
    work.resume = options_.resume || work.several;
    work.keep_checkpoints = options_.checkpoint.has_value();
    for (const auto& task : tasks_) work.tasks.push_back({task.name, task.checkpoint});
    work.open = [this](size_t i) {
      std::vector<CaptionedPicture> pictures;
      for (const auto& picture : tasks_[i].pictures) pictures.push_back(read_picture(picture));
      return trainer_->start(pictures, tasks_[i].start);
    };
    work.step = [this](std::span<PersonRun* const> people) { trainer_->step(people); };
    work.finish = [this](size_t i, const PersonRun& person) {
      write_results(tasks_[i], static_cast<const TrainingRun&>(person));
    };
    work.is_finished = [this](size_t i) {
      return !options_.shared.force && std::filesystem::exists(tasks_[i].lora.path);
    };
    work.failed = [this](size_t i, const Error& error) { reporter_.failed(tasks_[i].name, error); };
    run_people(work, run_);
  }

 private:
  /// Also which class pictures the training is going to use.
  void list() {
    list_people(list_trainings(options_, run_), reporter_);
    const bool some = options_.training.prior_weight > 0;
    reporter_.field("class_pictures", some ? Json(class_folder(options_).string()) : Json());
  }

  CaptionedPicture read_picture(const PromptedPicture& picture) const {
    run_.check_stop();
    return {read_image(picture.image, trainer_->picture_side(), run_), picture.image.string(),
            picture.prompt};
  }

  void write_results(const TrainingTask& task, const TrainingRun& training) {
    write_file(task.losses, training.loss_table());
    reporter_.output(task.losses.path, "log", {{"steps", training.steps()}});
    write_lora(task.lora, options_.format, training.lora(), task.name, training.description(),
               lora_model(&engine_->checkpoint(), nullptr), options_.shared.no_metadata,
               parse_dtype(options_.lora_dtype, at::kCPU));  // last: it marks the end
    reporter_.output(task.lora.path, "lora", {{"name", task.name}, {"seed", options_.training.seed}});
  }

  const TrainOptions& options_;
  Reporter& reporter_;
  const Run& run_;
  std::vector<TrainingTask> tasks_;
  std::optional<Engine> engine_;
  std::optional<Trainer> trainer_;
};

}  // namespace

void add_train(App& app) {
  auto options = std::make_shared<TrainOptions>();
  auto& parser = app.add_command(
      {"train",
       "train a LoRA of a person from pictures (DreamBooth)",
       "PICTURE...",
       {{"w2w train anna/", "the LoRA anna.safetensors from the pictures in anna/"},
        {"w2w train anna/ --prior-weight 0 --steps 300 --lr 5e-4 --name anna-2",
         "faster, without prior preservation"},
        {"w2w render anna.safetensors -p \"sks person on the beach\"", "draw the person"},
        {"w2w train --batch-file people.csv --together 8 -o loras", "many people, eight per batch"},
        {"w2w train --batch-file people.csv --shard 2/16 -o loras", "the second of sixteen jobs"},
        {"w2w train --batch-file people.csv -o loras --list", "who is finished and who is missing"},
        {"w2w space build loras -o space", "the space of all of them"}}},
      [options](Reporter& reporter) {
        check(*options);
        TrainCommand(*options, reporter).run();
      });
  add_train_options(parser, *options);
  add_model_options(parser, options->shared);
  add_output_options(parser, options->shared);
  add_unused_options(parser, options->shared);
}

}  // namespace w2w::cli
