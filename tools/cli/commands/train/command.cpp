// w2w train: LoRAs of people from their pictures.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "cli/app/app.h"
#include "cli/commands/pictures.h"
#include "cli/commands/smoothed_loss.h"
#include "cli/commands/train/class_pictures.h"
#include "cli/commands/train/plan.h"
#include "cli/files/lora_output.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"
#include "w2w/base/log.h"
#include "w2w/device/device.h"
#include "w2w/io/image.h"
#include "w2w/lora/formats.h"
#include "w2w/pipeline/inversion_picture.h"
#include "w2w/pipeline/training_checkpoint.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// A person at work.
struct Place {
  const TrainingTask* task = nullptr;
  Trainee trainee;
  RunDescription run;
  int64_t saved_at = 0;  ///< steps
};

class TrainRun {
 public:
  TrainRun(const TrainOptions& options, Reporter& reporter)
      : options_(options), reporter_(reporter), bar_(reporter.progress()) {}

  void run() {
    if (options_.prepare && options_.training.prior_weight == 0) {
      return notice("--prior-weight 0 has no class pictures: nothing to prepare");
    }
    if (!options_.prepare) {
      tasks_ = plan_trainings(options_);
      if (tasks_.empty()) return;
    }
    model_.emplace(open_model(options_.shared));
    trainer_.emplace(*model_, options_.training);
    description_ = describe_run(options_.training, *model_);
    description_["--fit"] = options_.fit;
    description_["--dtype"] = options_.shared.dtype;
    if (options_.start) start_from(*options_.start);  // a fault of all is told once
    if (options_.training.prior_weight > 0) {
      const auto paths = make_class_pictures(options_, *model_, reporter_);
      if (options_.prepare) return;
      read_class_pictures(paths);
    }
    model_->set_person({});
    total_ = static_cast<int64_t>(tasks_.size()) * options_.training.steps;
    train_all();
    if (!failed_.empty()) {
      throw Error(ErrorKind::failure,
                  fmt::format("{} of {} people could not be trained: {}", failed_.size(), tasks_.size(),
                              fmt::join(failed_, ", ")),
                  "the same command again tries only these");
    }
  }

 private:
  TrainingPicture read_picture(const fs::path& path, const std::string& prompt, PictureHash& hash) {
    const auto [width, height] = trainer_->picture_size();
    const auto factor = model_->checkpoint().vae_config().down_factor();
    const auto image = read_image(path, std::max(width, height));
    hash.add(image);
    hash.add(prompt);
    const auto fitted =
        fit_picture(image, path.string(), std::nullopt, "", parse_fit(options_.fit), width, height, factor);
    return trainer_->encode(fitted.image, prompt);
  }

  void read_class_pictures(const std::vector<fs::path>& paths) {
    std::vector<TrainingPicture> pictures;
    PictureHash hash;
    for (const auto& path : paths) {
      check_interrupt();
      pictures.push_back(read_picture(path, options_.training.class_prompt, hash));
      report(bar_, {"encoding class pictures",
                    static_cast<int64_t>(pictures.size()),
                    static_cast<int64_t>(paths.size()),
                    {}});
    }
    description_["class pictures"] = hash.hex();
    class_pictures_ = static_cast<int64_t>(pictures.size());
    trainer_->set_class_pictures(std::move(pictures));
  }

  TrainingState start_from(const fs::path& path) {
    const auto lora = read_lora(path, model_->linear_layers());
    try {
      return trainer_->initial_state(lora);
    } catch (const Error& error) {
      throw Error(
          error.kind(), fmt::format("cannot start from this LoRA ({}): {}", path.string(), error.what()),
          lora.empty() ? "it changes nothing of the model"
                       : fmt::format("its rank is {}; --rank and --targets have to be as it was trained",
                                     lora.begin()->second.rank()));
    }
  }

  /// Places are filled in the order of the table, and again as soon as somebody is finished.
  void train_all() {
    std::vector<Place> places;
    size_t next = 0;
    try {
      while (true) {
        while (places.size() < static_cast<size_t>(options_.together) && next < tasks_.size()) {
          enter(tasks_[next++], places);
        }
        if (places.empty()) return;
        check_interrupt();
        step(places);
      }
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::interrupted) throw;
      for (const auto& place : places) save(place);
      throw Error(error.kind(), error.what(),
                  options_.batch_file ? "the same command goes on from here"
                                      : "the same command with --resume goes on from here");
    }
  }

  void enter(const TrainingTask& task, std::vector<Place>& places) {
    try {
      Place place;
      place.task = &task;
      place.run = description_;
      PictureHash hash;
      for (const auto& [path, prompt] : task.pictures) {
        place.trainee.pictures.push_back(
            read_picture(path, prompt.empty() ? options_.training.prompt : prompt, hash));
      }
      place.run["pictures"] = hash.hex();
      auto& state = place.trainee.state;
      state = task.start ? start_from(*task.start) : trainer_->initial_state();
      if (task.start) place.run["start"] = safetensors_payload_sha256({{"theta", state.theta}});
      if ((options_.resume || options_.batch_file) && fs::exists(task.checkpoint)) {
        state = read_training_checkpoint(
            task.checkpoint, place.run,
            {trainer_->layout().parameters(), static_cast<int64_t>(task.pictures.size()), class_pictures_});
        notice(
            fmt::format("{} goes on after step {} ({})", task.name, state.steps(), task.checkpoint.string()));
        place.saved_at = state.steps();
        done_ += state.steps();
      }
      if (state.steps() >= options_.training.steps) return finish(place);
      places.push_back(std::move(place));
    } catch (const Error& error) {
      give_up(task, error);
    }
  }

  void step(std::vector<Place>& places) {
    std::vector<Trainee*> people;
    for (auto& place : places) people.push_back(&place.trainee);
    trainer_->step(people);
    const bool save_all = Clock::now() - saved_ > std::chrono::minutes(1);
    double loss = 0;
    for (auto& place : places) {
      const auto& state = place.trainee.state;
      loss += state.losses.back().instance / static_cast<double>(places.size());
      if (save_all || state.steps() - place.saved_at >= std::max<int64_t>(50, options_.training.steps / 20)) {
        place.saved_at = state.steps();
        if (state.steps() < options_.training.steps) save(place);
      }
    }
    if (save_all) saved_ = Clock::now();
    done_ += static_cast<int64_t>(places.size());
    std::erase_if(places, [&](const Place& place) { return leave(place); });
    report(bar_, {"training", done_, total_, detail(smoothed_(loss))});
  }

  std::string detail(double loss) const {
    if (tasks_.size() == 1) return fmt::format("loss {:.4f}", loss);
    return fmt::format("loss {:.4f}, {} of {} people", loss, finished_, tasks_.size());
  }

  /// Whether the person is finished, one way or another.
  bool leave(const Place& place) {
    const auto& [instance, prior] = place.trainee.state.losses.back();
    if (!std::isfinite(instance + prior)) {
      const auto steps = place.trainee.state.steps();
      give_up(*place.task,
              Error(ErrorKind::failure,
                    fmt::format("{}: the loss or its gradient is no longer a number at step {}",
                                place.task->name, steps),
                    fmt::format("a learning rate below {} may help", options_.training.learning_rate)));
      return true;
    }
    if (place.trainee.state.steps() < options_.training.steps) return false;
    finish(place);
    return true;
  }

  /// One of many does not stop the others.
  void give_up(const TrainingTask& task, const Error& error) {
    if (!options_.batch_file || error.kind() == ErrorKind::interrupted ||
        error.kind() == ErrorKind::out_of_memory)
      throw error;
    reporter_.failed(task.name, error);
    failed_.push_back(task.name);
  }

  void save(const Place& place) const {
    write_training_checkpoint(place.task->checkpoint, place.trainee.state, place.run);
  }

  void finish(const Place& place) {
    const auto& [task, trainee, run, saved_at] = place;
    std::string table = "step,loss,instance,prior\n";
    for (size_t i = 0; i < trainee.state.losses.size(); ++i) {
      const auto& [instance, prior] = trainee.state.losses[i];
      table += fmt::format("{},{:.9g},{:.9g},{:.9g}\n", i + 1,
                           instance + options_.training.prior_weight * prior, instance, prior);
    }
    write_file(task->losses, table);
    reporter_.output(task->losses.path, "log", {{"steps", trainee.state.steps()}});
    Identity made;
    made.model = model_->checkpoint().path().filename().string();
    made.trigger = options_.training.prompt;
    made.history = json_text(Json::array({history(place)}));
    write_lora(task->lora, options_.format, trainer_->lora(trainee.state), task->name, made,
               options_.shared.no_metadata,
               parse_dtype(options_.lora_dtype, at::kCPU));  // last: it marks the end
    reporter_.output(task->lora.path, "lora", {{"name", task->name}, {"seed", options_.training.seed}});
    if (options_.checkpoint) {
      save(place);
    } else {
      fs::remove(task->checkpoint);
    }
    ++finished_;
  }

  Json history(const Place& place) const {
    const auto& training = options_.training;
    Json entry = {{"command", "train"},          {"pictures", place.trainee.pictures.size()},
                  {"steps", training.steps},     {"lr", training.learning_rate},
                  {"batch", training.batch},     {"prior_weight", training.prior_weight},
                  {"rank", training.rank},       {"alpha", training.alpha},
                  {"targets", training.targets}, {"seed", training.seed}};
    if (place.task->start) entry["start"] = place.task->start->filename().string();
    return entry;
  }

  const TrainOptions& options_;
  Reporter& reporter_;
  Progress bar_;
  std::vector<TrainingTask> tasks_;
  std::optional<TextToImage> model_;
  std::optional<Dreambooth> trainer_;
  RunDescription description_;                   ///< of everybody's run, but for their pictures
  int64_t done_ = 0, total_ = 0, finished_ = 0;  ///< steps, steps, people
  int64_t class_pictures_ = 0;
  SmoothedLoss smoothed_;
  Clock::time_point saved_ = Clock::now();
  std::vector<std::string> failed_;
};

}  // namespace

void add_train(App& app) {
  auto options = std::make_shared<TrainOptions>();
  auto& parser = app.add_command(
      {"train",
       "teach the model a person from pictures",
       "PICTURE...",
       {{"w2w train anna/", "the LoRA anna.safetensors from the pictures in anna/"},
        {"w2w train anna/ --prior-weight 0 --steps 300 --lr 5e-4", "quick, without class pictures"},
        {"w2w render anna.safetensors -p \"sks person on the beach\"", "and draw her"},
        {"w2w train --batch-file people.csv --together 8 -o loras", "many people, eight in each pass"},
        {"w2w train --batch-file people.csv --shard 2/16 -o loras", "the second of sixteen jobs"},
        {"w2w space build loras -o space", "the space of all of them"}}},
      [options](Reporter& reporter) {
        check(*options);
        TrainRun(*options, reporter).run();
      });
  add_train_options(parser, *options);
  add_model_options(parser, options->shared);
  add_output_options(parser, options->shared);
  add_unused_options(parser, options->shared);
}

}  // namespace w2w::cli
