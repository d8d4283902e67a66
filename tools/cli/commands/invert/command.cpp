// w2w invert: the person of a picture as coefficients in the space.

#include <fmt/format.h>

#include <chrono>

#include "cli/app/app.h"
#include "cli/commands/invert/plan.h"
#include "cli/files/locate.h"
#include "cli/files/lora_output.h"
#include "cli/files/space_choice.h"
#include "cli/options/seeds.h"
#include "cli/terminal/reporter.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"
#include "w2w/base/read_file.h"
#include "w2w/engine/people.h"
#include "w2w/io/image.h"
#include "w2w/pipeline/run_checkpoint.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

using Clock = std::chrono::steady_clock;

class InvertCommand {
 public:
  InvertCommand(const InvertOptions& options, Reporter& reporter)
      : options_(options), reporter_(reporter), run_(reporter.run()) {}

  void run() {
    if (options_.list) return list_people(list_inversions(options_, run_), reporter_);
    auto space = Space::open(locate_space(options_.shared.space, run_), nullptr, run_);
    auto inversion = resolve(options_, space, run_);
    tasks_ = plan_inversions(options_, inversion.steps, run_);
    if (tasks_.empty()) return;
    inversion.seed = seed();
    engine_.emplace(open_engine(options_.shared, std::move(space), run_));
    inverter_.emplace(*engine_, inversion, PictureFitting{parse_fit(options_.fit), options_.mask_labels},
                      RunDescription{{"dtype", options_.shared.dtype}}, run_);

    PeopleWork work;
    work.steps = inversion.steps;
    work.learning_rate = inversion.learning_rate;
    work.several = options_.batch_file.has_value();
    work.resume = options_.resume || work.several;
    work.keep_checkpoints = options_.checkpoint.has_value();
    for (const auto& task : tasks_) work.tasks.push_back({task.job.name, task.checkpoint});
    work.open = [this](size_t i) {
      begun_ = Clock::now();
      return inverter_->start(read_pictures(tasks_[i].job), run_);
    };
    work.step = [](std::span<PersonRun* const> people) { inversion_of(*people.front()).step(); };
    work.look = [this](size_t i, PersonRun& person) { draw_previews(tasks_[i], inversion_of(person)); };
    work.finish = [this](size_t i, const PersonRun& person) {
      write_results(tasks_[i], static_cast<const InversionRun&>(person));
    };
    work.is_finished = [this](size_t i) {
      return !options_.shared.force && fs::exists(tasks_[i].coefficients.path);
    };
    work.failed = [this](size_t i, const Error& error) { reporter_.failed(tasks_[i].job.name, error); };
    run_people(work, run_);
  }

 private:
  /// The seed that was given; else the one that an unfinished run among the tasks drew, or a new one.
  uint64_t seed() const {
    auto text = options_.seed;
    for (const auto& task : tasks_) {
      if (text != drawn_seed || !(options_.resume || options_.batch_file)) break;
      if (const auto kept = recorded_setting(task.checkpoint, "seed"); !kept.empty()) text = kept;
    }
    return parse_one_seed(text, draw_seed, "--seed", run_);
  }

  static InversionRun& inversion_of(PersonRun& person) { return static_cast<InversionRun&>(person); }

  std::vector<PersonPicture> read_pictures(const InversionJob& job) const {
    std::vector<PersonPicture> pictures;
    for (size_t i = 0; i < job.images.size(); ++i) {
      PersonPicture picture;
      if (job.masks[i]) {
        picture.mask = read_image(*job.masks[i], {}, run_);
        picture.mask_name = job.masks[i]->string();
      }
      picture.image = read_image(job.images[i], inverter_->picture_side(job.masks[i].has_value()), run_);
      picture.name = job.images[i].string();
      pictures.push_back(std::move(picture));
    }
    return pictures;
  }

  void write_results(const InversionTask& task, const InversionRun& inversion) {
    write_file(task.losses, inversion.loss_table());
    reporter_.output(task.losses.path, "log", {{"steps", inversion.steps()}});
    const auto person = inversion.person();
    const auto typical = typicality(engine_->space(), person.coefficients);
    if (typical) tell_typicality(task.job.name, *typical);
    if (task.sheet) draw_sheet_of(task, inversion);
    if (task.lora) {
      write_lora(*task.lora, *options_.lora, engine_->lora(person), task.job.name, person,
                 lora_model(&engine_->checkpoint(), &engine_->space()), options_.shared.no_metadata);
      reporter_.output(task.lora->path, "lora", {{"name", task.job.name}});
    }
    write_identity(task.coefficients, person);  // last: it marks the person as finished
    Json facts = parse_json(person.history)[0];
    facts.erase("command");
    facts["name"] = task.job.name;
    if (typical) facts["typicality"] = *typical;
    facts["seconds"] = std::chrono::duration<double>(Clock::now() - begun_).count();
    reporter_.output(task.coefficients.path, "coefficients", std::move(facts));
  }

  /// How far from the space's people the person is, and what to try where that is too far.
  void tell_typicality(const std::string& name, double found) const {
    const auto what = fmt::format("{} is {:.1f} standard deviations from the mean person", name, found);
    if (found <= typical_limit)
      return run_.notice(what +
                         " (people of the space: about 1), whether or not it is the one of the picture");
    run_.warn(
        what +
        fmt::format(": above {}, a person seldom resembles the picture or draws well; try a picture whose "
                    "head fills the frame as those of the space do{}, --prior 1.5, or fewer --components",
                    typical_limit, options_.masks.empty() ? " (--mask crops to it)" : ""));
  }

  void draw_sheet_of(const InversionTask& task, const InversionRun& inversion) {
    const auto found = drawn(inversion, "no sheet of " + task.job.name);
    if (!found) return;
    write_image(*task.sheet, draw_sheet(inversion.sheet(found->pixels)), {}, run_);
    reporter_.output(task.sheet->path, "sheet", {{"name", task.job.name}});
  }

  /// Nothing, with a warning, for who cannot be drawn: they may still be found.
  std::optional<Picture> drawn(const InversionRun& inversion, const std::string& without) const {
    try {
      return inversion.preview(options_.preview_steps, run_.with_progress({}));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::failure) throw;
      run_.warn(fmt::format("{}: {}", without, error.what()));
      return {};
    }
  }

  void draw_previews(const InversionTask& task, const InversionRun& inversion) {
    for (const auto& [step, output] : task.previews) {
      if (step != inversion.steps()) continue;
      const auto preview = drawn(inversion, fmt::format("no preview of step {}", inversion.steps()));
      if (!preview) continue;
      write_image(output, preview->pixels, {}, run_);
      reporter_.output(output.path, "picture",
                       {{"step", inversion.steps()}, {"seed", inverter_->options().seed}});
    }
  }

  const InvertOptions& options_;
  Reporter& reporter_;
  const Run& run_;
  std::vector<InversionTask> tasks_;
  std::optional<Engine> engine_;
  std::optional<Inverter> inverter_;
  Clock::time_point begun_;  ///< the person at work
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
    refuse("--batch-file already lists all pictures and masks", "remove the other ones");
  }
  if (options.shard && !options.batch_file) {
    refuse("--shard needs --batch-file", "leave it out for one person");
  }
  if (options.batch_file && (options.checkpoint || options.name)) {
    refuse(fmt::format("{} is for one person, --batch-file for many",
                       options.checkpoint ? "--checkpoint" : "--name"),
           "with --batch-file, each state is saved beside its output");
  }
  if (options.preset == "reference" && options.method != "reference") {
    refuse("--preset reference needs --method reference, found --method " + options.method,
           "--preset real and ood choose the components of either method");
  }
  if (!options.masks.empty() && options.masks.size() != options.images.size()) {
    refuse(fmt::format("--mask expects one per picture, found {} for {} pictures", options.masks.size(),
                       options.images.size()),
           "use an all-white picture where there is no mask");
  }
  if (!options.mask_labels.empty() && options.masks.empty() && !options.batch_file) {
    refuse("--mask-labels needs --mask", "give the class map as --mask");
  }
  for (const auto* paths : {&options.images, &options.masks}) {
    for (const auto& path : *paths) {
      if (!fs::exists(path)) throw Error(ErrorKind::not_found, "no such picture (" + path + ")");
      if (is_stream(path)) continue;
      // Unreadable files are refused before the model is loaded; a picture may be reduced, a mask may not.
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
        {"w2w invert photo.jpg --mask head.png --preview-every 100 -o masked",
         "use the head only, with previews"},
        {"w2w invert painting.png --preset ood", "from a painting or cartoon"},
        {"w2w invert a.jpg b.jpg c.jpg --name me", "three pictures of one person"},
        {"w2w invert photo.jpg --resume", "resume after an interruption"},
        {"w2w invert --batch-file people.csv -o people", "many people, one after the other"}}},
      [options](Reporter& reporter) {
        check(*options);
        InvertCommand(*options, reporter).run();
      });
  add_invert_options(parser, *options);
  add_model_options(parser, options->shared);
  add_space_option(parser, options->shared);
  add_output_options(parser, options->shared);
}

}  // namespace w2w::cli
