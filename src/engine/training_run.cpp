#include "w2w/engine/training_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/history.h"
#include "w2w/base/error.h"
#include "w2w/lora/formats.h"
#include "w2w/pipeline/training_checkpoint.h"

namespace w2w {

Trainer::Trainer(Engine& engine, DreamboothOptions options, Fit fit, const RunDescription& more)
    : engine_(engine),
      fit_(fit),
      dreambooth_(engine.model(), std::move(options)),
      description_(describe_run(dreambooth_.options(), engine.model())) {
  description_.insert(more.begin(), more.end());
  description_["fit"] = fit_names().at(static_cast<size_t>(fit_));
}

int64_t Trainer::picture_side() const {
  const auto [width, height] = dreambooth_.picture_size();
  return std::max(width, height);
}

Picture Trainer::draw_class_picture(uint64_t seed, const Run& run) {
  TextToImageOptions picture;
  picture.prompt = options().class_prompt;
  picture.cfg_scale = 7.5;  // as diffusers' train_dreambooth_lora.py
  picture.width = options().width;
  picture.height = options().height;
  picture.seed = seed;
  return engine_.draw(Lora(), picture, run);
}

TrainingPicture Trainer::encode(const CaptionedPicture& picture, const std::string& prompt,
                                PictureHash& hash) {
  const auto [width, height] = dreambooth_.picture_size();
  const auto factor = engine_.checkpoint().vae_config().down_factor();
  hash.add(picture.image);
  hash.add(prompt);
  const auto fitted = fit_picture(picture.image, picture.name, std::nullopt, "", fit_, width, height, factor);
  return dreambooth_.encode(fitted.image, prompt);
}

void Trainer::set_class_pictures(const std::vector<CaptionedPicture>& pictures, const Run& run) {
  std::vector<TrainingPicture> encoded;
  PictureHash hash;
  for (const auto& picture : pictures) {
    run.check_stop();
    encoded.push_back(encode(picture, options().class_prompt, hash));
    run.report({"encoding class pictures",
                static_cast<int64_t>(encoded.size()),
                static_cast<int64_t>(pictures.size()),
                {}});
  }
  description_["class pictures"] = hash.hex();
  class_pictures_ = static_cast<int64_t>(encoded.size());
  dreambooth_.set_class_pictures(std::move(encoded));
}

TrainingState Trainer::start_from(const std::filesystem::path& path) {
  const auto lora = read_lora(path, engine_.model().linear_layers());
  try {
    return dreambooth_.initial_state(lora);
  } catch (const Error& error) {
    throw Error(
        error.kind(), fmt::format("cannot start from this LoRA ({}): {}", path.string(), error.what()),
        lora.empty()
            ? "it changes nothing of the model"
            : fmt::format("its rank is {}; <rank> and <targets> must match it", lora.begin()->second.rank()));
  }
}

std::unique_ptr<TrainingRun> Trainer::start(const std::vector<CaptionedPicture>& pictures,
                                            const std::optional<std::filesystem::path>& start) {
  Trainee trainee;
  auto description = description_;
  PictureHash hash;
  for (const auto& picture : pictures)
    trainee.pictures.push_back(
        encode(picture, picture.prompt.empty() ? options().prompt : picture.prompt, hash));
  description["pictures"] = hash.hex();
  trainee.state = start ? start_from(*start) : dreambooth_.initial_state();
  if (start) description["start"] = safetensors_payload_sha256({{"theta", trainee.state.theta}});
  return std::make_unique<TrainingRun>(*this, std::move(trainee), std::move(description),
                                       start ? start->filename().string() : "");
}

void Trainer::step(std::span<PersonRun* const> people) {
  engine_.model().set_person({});
  std::vector<Trainee*> trainees;
  for (auto* person : people) trainees.push_back(&static_cast<TrainingRun*>(person)->trainee_);
  dreambooth_.step(trainees);
  for (auto* person : people) static_cast<TrainingRun*>(person)->note_loss();
}

double TrainingRun::weighted(const TrainingLoss& loss) const {
  return loss.instance + trainer_.options().prior_weight * loss.prior;
}

double TrainingRun::loss() const { return state().losses.empty() ? 0 : weighted(state().losses.back()); }

void TrainingRun::note_loss() { usual_ = smoothed_(state().losses.back().instance); }

void TrainingRun::save(const std::filesystem::path& checkpoint) const {
  write_training_checkpoint(checkpoint, state(), description_);
}

void TrainingRun::resume(const std::filesystem::path& checkpoint) {
  trainee_.state =
      read_training_checkpoint(checkpoint, description_,
                               {trainer_.dreambooth_.layout().parameters(),
                                static_cast<int64_t>(trainee_.pictures.size()), trainer_.class_pictures_});
  smoothed_ = {};
  for (const auto& loss : state().losses) usual_ = smoothed_(loss.instance);
}

Identity TrainingRun::description() const {
  const auto& options = trainer_.options();
  Json entry = {{"command", "train"},         {"pictures", trainee_.pictures.size()},
                {"steps", options.steps},     {"lr", options.learning_rate},
                {"batch", options.batch},     {"prior_weight", options.prior_weight},
                {"rank", options.rank},       {"alpha", options.alpha},
                {"targets", options.targets}, {"seed", options.seed}};
  if (!start_.empty()) entry["start"] = start_;
  Identity made;
  made.model = trainer_.engine_.model_name();
  made.trigger = options.prompt;
  made.history = new_history(entry);
  return made;
}

std::string TrainingRun::loss_table() const {
  std::string table = "step,loss,instance,prior\n";
  for (size_t i = 0; i < state().losses.size(); ++i) {
    const auto& loss = state().losses[i];
    table += fmt::format("{},{:.9g},{:.9g},{:.9g}\n", i + 1, weighted(loss), loss.instance, loss.prior);
  }
  return table;
}

}  // namespace w2w
