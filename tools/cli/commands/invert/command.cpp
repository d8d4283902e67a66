// w2w invert: the person of a picture as coefficients in the space.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "cli/app/app.h"
#include "cli/commands/invert/plan.h"
#include "cli/commands/pictures.h"
#include "cli/commands/smoothed_loss.h"
#include "cli/files/locate.h"
#include "cli/files/lora_output.h"
#include "cli/files/space_choice.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"
#include "w2w/base/log.h"
#include "w2w/base/read_file.h"
#include "w2w/io/image.h"
#include "w2w/pipeline/inversion_checkpoint.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

class InvertRun {
 public:
  InvertRun(const InvertOptions& options, Reporter& reporter)
      : options_(options),
        reporter_(reporter),
        space_path_(locate_space(options.shared.space)),
        space_(Space::open(space_path_)),
        inversion_options_(resolve(options, space_)) {}

  void run() {
    tasks_ = plan_inversions(options_, inversion_options_.steps);
    if (tasks_.empty()) return;
    model_.emplace(open_model(options_.shared));
    space_ = open_space_of(*model_, space_path_);
    inversion_.emplace(*model_, space_, inversion_options_);
    description_ = describe_run(inversion_options_, space_, *model_);
    if (!options_.mask_labels.empty())
      description_["--mask-labels"] = fmt::format("{}", fmt::join(options_.mask_labels, ","));
    description_["--fit"] = options_.fit;
    description_["--dtype"] = options_.shared.dtype;
    std::vector<std::string> failed;
    for (size_t i = 0; i < tasks_.size(); ++i) {
      try {
        invert(tasks_[i], i);
      } catch (const Error& error) {
        const bool one_of_many = options_.batch_file && error.kind() != ErrorKind::interrupted &&
                                 error.kind() != ErrorKind::out_of_memory;
        if (!one_of_many) throw;
        reporter_.failed(tasks_[i].job.name, error);
        failed.push_back(tasks_[i].job.name);
      }
    }
    if (!failed.empty()) {
      throw Error(ErrorKind::failure,
                  fmt::format("{} of {} people could not be inverted: {}", failed.size(), tasks_.size(),
                              fmt::join(failed, ", ")),
                  "the same command again tries only these");
    }
  }

 private:
  std::vector<InversionPicture> read_pictures(const InversionJob& job, std::pair<int64_t, int64_t> size,
                                              PictureHash& hash) {
    std::vector<InversionPicture> pictures;
    const auto factor = model_->checkpoint().vae_config().down_factor();
    for (size_t i = 0; i < job.images.size(); ++i) {
      std::optional<Image> mask;
      if (job.masks[i]) mask = read_image(*job.masks[i]);
      const auto image = read_image(job.images[i], std::max(size.first, size.second));
      hash.add(image);
      hash.add(mask ? "masked" : "");
      if (mask) hash.add(*mask);
      pictures.push_back(fit_picture(image, job.images[i].string(), mask,
                                     job.masks[i] ? job.masks[i]->string() : "", parse_fit(options_.fit),
                                     size.first, size.second, factor, options_.mask_labels));
    }
    return pictures;
  }

  void invert(const InversionTask& task, size_t index) {
    PictureHash hash;
    const auto pictures = read_pictures(task.job, inversion_->picture_size(), hash);
    auto run = description_;
    run["pictures"] = hash.hex();
    auto state = inversion_->initial_state();
    if ((options_.resume || options_.batch_file) && fs::exists(task.checkpoint)) {
      state = read_inversion_checkpoint(task.checkpoint, run, inversion_options_.components);
      notice(fmt::format("going on after step {} ({})", state.steps(), task.checkpoint.string()));
    }
    const int64_t total = inversion_options_.steps;
    const int64_t save_every = std::max<int64_t>(1, total / 20);
    auto saved = Clock::now();
    SmoothedLoss smoothed;
    for (const double loss : state.losses) smoothed(loss);
    auto bar = reporter_.progress();
    const auto what = tasks_.size() == 1
                          ? std::string("inverting")
                          : fmt::format("{} ({} of {})", task.job.name, index + 1, tasks_.size());
    const auto after_step = [&](const InversionState& now) {
      state = now;
      report(bar, {what, now.steps(), total, fmt::format("loss {:.4f}", smoothed(now.losses.back()))});
      if (now.steps() % save_every == 0 || Clock::now() - saved > std::chrono::minutes(1)) {
        write_inversion_checkpoint(task.checkpoint, now, run);
        saved = Clock::now();
      }
      draw_previews(task, now);
    };
    draw_previews(task, state);  // one that an interruption may have cut off
    try {
      state = inversion_->run(pictures, state, after_step);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::interrupted) throw;
      write_inversion_checkpoint(task.checkpoint, state, run);
      throw Error(error.kind(), error.what(),
                  fmt::format("the same command with --resume goes on after step {}", state.steps()));
    }
    write_results(task, state);
    if (options_.checkpoint) {
      write_inversion_checkpoint(task.checkpoint, state, run);
    } else {
      fs::remove(task.checkpoint);
    }
  }

  void write_results(const InversionTask& task, const InversionState& state) {
    std::string table = "step,loss,smoothed\n";
    SmoothedLoss smoothed;
    for (size_t i = 0; i < state.losses.size(); ++i) {
      table += fmt::format("{},{:.9g},{:.9g}\n", i + 1, state.losses[i], smoothed(state.losses[i]));
    }
    write_file(task.losses, table);
    reporter_.output(task.losses.path, "log", {{"steps", state.steps()}});

    Identity identity;
    identity.coefficients = inversion_->coefficients(state);
    set_space(identity, space_);
    identity.model = space_.data().base_model;
    identity.trigger = inversion_options_.prompt;
    identity.history = json_text(Json::array({history(task.job)}));
    if (task.lora) {
      write_lora(*task.lora, *options_.lora, space_.lora(identity.coefficients), task.job.name, identity,
                 options_.shared.no_metadata);
      reporter_.output(task.lora->path, "lora", {{"name", task.job.name}});
    }
    write_identity(task.coefficients, identity);  // last: it marks the person as finished
    reporter_.output(task.coefficients.path, "coefficients",
                     {{"name", task.job.name}, {"seed", inversion_options_.seed}});
  }

  Json history(const InversionJob& job) const {
    Json images = Json::array();
    for (const auto& image : job.images) images.push_back(image.filename().string());
    return {{"command", "invert"},
            {"images", images},
            {"method", options_.method},
            {"seed", inversion_options_.seed},
            {"components", inversion_options_.components},
            {"steps", inversion_options_.steps},
            {"lr", inversion_options_.learning_rate},
            {"weight_decay", inversion_options_.weight_decay},
            {"batch", inversion_options_.batch * inversion_options_.accumulate}};
  }

  void draw_previews(const InversionTask& task, const InversionState& state) {
    for (const auto& [step, path] : task.previews) {
      if (step == state.steps()) preview(state, path);
    }
  }

  void preview(const InversionState& state, const OutputPath& output) {
    model_->set_person(space_.lora(inversion_->coefficients(state)));
    TextToImageOptions picture;
    picture.prompt = inversion_options_.prompt;
    picture.negative_prompt = space_.data().defaults.negative_prompt;
    picture.cfg_scale = space_.data().defaults.cfg_scale;
    picture.steps = options_.preview_steps;
    picture.width = inversion_options_.width;
    picture.height = inversion_options_.height;
    picture.seed = inversion_options_.seed;
    at::Tensor pixels;
    try {
      pixels = model_->run(picture);
    } catch (const Error& error) {  // what cannot be drawn may still be found
      if (error.kind() != ErrorKind::failure) throw;
      return warn(fmt::format("no preview of step {}: {}", state.steps(), error.what()));
    }
    write_image(output, pixels);
    reporter_.output(output.path, "picture", {{"step", state.steps()}, {"seed", picture.seed}});
  }

  const InvertOptions& options_;
  Reporter& reporter_;
  fs::path space_path_;
  Space space_;
  InversionOptions inversion_options_;
  std::vector<InversionTask> tasks_;
  std::optional<TextToImage> model_;
  std::optional<Inversion> inversion_;
  RunDescription description_;  ///< of every person's run, but for the pictures
};

/// What can be refused before anything is opened.
void check(const InvertOptions& options) {
  check_shared_options(options.shared);
  const auto refuse = [](const std::string& what, const std::string& hint) {
    throw Error(ErrorKind::usage, what, hint);
  };
  if (options.images.empty() && !options.batch_file) {
    refuse("invert needs a picture", "w2w invert photo.jpg, or --batch-file for many people");
  }
  if (options.batch_file && (!options.images.empty() || !options.masks.empty())) {
    refuse("--batch-file names all pictures and masks itself", "leave out the others");
  }
  if (options.shard && !options.batch_file) {
    refuse("--shard divides the people of a --batch-file, found none", "leave it out for one person");
  }
  if (options.batch_file && (options.checkpoint || options.name)) {
    refuse(fmt::format("{} is for one person, --batch-file for many",
                       options.checkpoint ? "--checkpoint" : "--name"),
           "the states of many are saved beside their outputs");
  }
  if (options.preset == "reference" && options.method != "reference") {
    refuse("--preset reference is the reference's method, found --method " + options.method,
           "--preset real and ood choose the components of either method");
  }
  if (!options.masks.empty() && options.masks.size() != options.images.size()) {
    refuse(fmt::format("--mask expects one per picture, found {} for {} pictures", options.masks.size(),
                       options.images.size()),
           "an all-white picture masks nothing");
  }
  if (!options.mask_labels.empty() && options.masks.empty() && !options.batch_file) {
    refuse("--mask-labels chooses among the classes of a mask, found no --mask",
           "give the map of classes as --mask");
  }
  for (const auto* paths : {&options.images, &options.masks}) {
    for (const auto& path : *paths) {
      if (!fs::exists(path)) throw Error(ErrorKind::not_found, "no such picture (" + path + ")");
      if (is_stream(path)) continue;
      // An unreadable one is told of before the model is loaded; a picture may be reduced, a mask may not.
      read_image(path, paths == &options.images ? std::optional<int64_t>(1) : std::nullopt);
    }
  }
}

}  // namespace

void add_invert(App& app) {
  auto options = std::make_shared<InvertOptions>();
  auto& parser = app.add_command(
      {"invert",
       "find the person of a picture",
       "IMAGE...",
       {{"w2w invert photo.jpg", "coefficients of the person in photo.safetensors"},
        {"w2w invert photo.jpg --mask head.png --preview-every 100 -o anna",
         "look at the head only, and watch"},
        {"w2w invert painting.png --preset ood", "a person who is not a photograph"},
        {"w2w invert a.jpg b.jpg c.jpg --name anna", "three pictures of one person"},
        {"w2w invert photo.jpg --resume", "go on after an interruption"},
        {"w2w invert --batch-file people.csv -o people", "many people, one after the other"}}},
      [options](Reporter& reporter) {
        check(*options);
        InvertRun(*options, reporter).run();
      });
  add_invert_options(parser, *options);
  add_model_options(parser, options->shared);
  add_space_option(parser, options->shared);
  add_output_options(parser, options->shared);
}

}  // namespace w2w::cli
