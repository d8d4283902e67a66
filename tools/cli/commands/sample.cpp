// w2w sample: people who never existed, drawn from the space.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <span>

#include "cli/app/app.h"
#include "cli/files/locate.h"
#include "cli/files/lora_output.h"
#include "cli/files/picture_outputs.h"
#include "cli/files/space_choice.h"
#include "cli/options/lora_option.h"
#include "cli/options/option_values.h"
#include "cli/options/seeds.h"
#include "w2w/base/error.h"
#include "w2w/engine/people.h"

namespace w2w::cli {
namespace {

struct SampleArguments {
  SharedOptions shared;
  int64_t count = 1;
  std::optional<int64_t> components;
  std::optional<double> spread;
  std::string identity_seed = drawn_seed;
  std::optional<LoraFormat> lora;
  std::optional<std::string> matrix;  ///< a file for the coefficients of all
  bool no_images = false, sheet = false;
  int64_t together = 1;
};

class SampleRun {
 public:
  SampleRun(const SampleArguments& arguments, Reporter& reporter)
      : arguments_(arguments),
        reporter_(reporter),
        run_(reporter.run()),
        space_(Space::open(locate_space(arguments.shared.space, run_), nullptr, run_)),
        options_(sample_options(space_, arguments.components, arguments.spread, run_)) {}

  void run() {
    plan();
    try {
      make_all();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::interrupted) throw;
      throw Error(ErrorKind::interrupted, error.what(), how_to_go_on());
    }
  }

 private:
  void make_all() {
    if (matrix_ && !arguments_.shared.leaves(*matrix_)) write_matrix();
    if (pictures_ || arguments_.lora) engine_.emplace(open_engine(arguments_.shared, space_, run_));
    if (pictures_) engine_->remark(pictures_->plan(), {space_.data().defaults.prompt}, run_);
    const auto group = static_cast<size_t>(pictures_ ? arguments_.together : 1);
    for (size_t first = 0; first < count(); first += group) {
      run_.check_stop();
      const size_t end = std::min(first + group, count());
      if (!sheet_ && is_finished(first, end)) continue;
      end - first == 1 ? make(first) : make_together(first, end);
    }
    if (sheet_) pictures_->write_sheet(*sheet_, on_sheet_.sheet(pictures_->plan()), *engine_, maker());
  }

  /// With the seeds that were drawn, so that the same people and pictures come.
  std::string how_to_go_on() const {
    std::string words = "--skip-existing";
    if (arguments_.identity_seed == drawn_seed) words += fmt::format(" --identity-seed {}", first_seed_);
    if (pictures_ && arguments_.shared.seed == drawn_seed)
      words += fmt::format(" --seed {}", pictures_->plan().seeds().front());
    return "the same command with " + words + " makes the rest";
  }

  /// Names everything and refuses what cannot be written, before any work.
  void plan() {
    const auto& shared = arguments_.shared;
    if (!arguments_.no_images) pictures_.emplace(shared, space_.data().defaults, reporter_);
    first_seed_ = parse_one_seed(arguments_.identity_seed, draw_seed, "--identity-seed", run_);
    remark_seeds();
    if (first_seed_ > UINT64_MAX - static_cast<uint64_t>(arguments_.count - 1)) {
      throw Error(ErrorKind::usage,
                  fmt::format("--identity-seed {} is too large for {} people: the last seed is {}",
                              first_seed_, arguments_.count, UINT64_MAX));
    }
    for (int64_t i = 0; i < arguments_.count; ++i) {
      run_.check_stop();
      const auto name = sample_name(first_seed_ + static_cast<uint64_t>(i));
      std::vector<PlannedOutput> outputs;
      if (!arguments_.matrix) outputs.push_back({"coefficients", name, ".safetensors"});
      if (arguments_.lora) outputs.push_back({"lora", name, lora_suffix(*arguments_.lora)});
      if (pictures_) {
        for (auto& picture : pictures_->planned(name)) outputs.push_back(std::move(picture));
      }
      outputs_.add(std::move(outputs));
    }
    if (arguments_.sheet) {
      if (!pictures_) throw Error(ErrorKind::usage, "--sheet shows pictures, and --no-images draws none");
      outputs_.add({pictures_->planned_sheet(sample_name(first_seed_), count())});
    }
    if (arguments_.matrix) plan_matrix();
    if (!arguments_.matrix || arguments_.lora || pictures_) {
      outputs_.settle(shared.output, shared.existing(), run_);
    } else if (shared.output) {
      run_.notice("--output has no effect: --matrix names the only file");
    }
    if (!arguments_.sheet) return;
    const auto& sheet = outputs_[count()].at("sheet");
    if (!shared.leaves(sheet)) sheet_ = sheet;
  }

  void plan_matrix() {
    if (std::filesystem::is_directory(*arguments_.matrix)) {
      throw Error(ErrorKind::failure,
                  fmt::format("--matrix is a folder, expected a file ({})", *arguments_.matrix));
    }
    matrix_ =
        plan_outputs(arguments_.matrix, {{"matrix", "", ".safetensors"}}, arguments_.shared.existing(), run_)
            .front();
  }

  void write_matrix() {
    auto options = options_;
    options.seed = first_seed_;
    write_people_matrix(*matrix_, sample_matrix(space_, options, arguments_.count, run_));
    reporter_.output(matrix_->path, "matrix", {{"people", arguments_.count}, {"identity_seed", first_seed_}});
  }

  size_t count() const { return static_cast<size_t>(arguments_.count); }

  /// --seed alone is often meant for the person.
  void remark_seeds() const {
    const auto& noise = arguments_.shared.seed;
    if (noise == drawn_seed) return;
    if (arguments_.no_images) run_.notice("--seed has no effect with --no-images");
    if (arguments_.identity_seed == drawn_seed) {
      run_.notice(
          fmt::format("--seed {} chooses the noise of the pictures; it is --identity-seed that chooses "
                      "the person",
                      noise));
    }
  }

  uint64_t seed_of(size_t index) const { return first_seed_ + index; }

  Person person_of(size_t index) const {
    const auto seed = seed_of(index);
    return {sample_name(seed),
            {"sample", "--identity-seed", std::to_string(seed), "--components",
             std::to_string(options_.components), "--spread", fmt::format("{}", options_.spread)},
            {{"identity_seed", seed}}};
  }

  /// The command, for the sheet.
  Person maker() const {
    auto maker = person_of(0);
    maker.arguments.insert(maker.arguments.end(), {"--count", std::to_string(count()), "--sheet"});
    maker.facts["count"] = count();
    return maker;
  }

  void make(size_t index) {
    const auto identity = write_person(index);
    if (!pictures_) return;
    const size_t each = pictures_->plan().size(), before = index * each, total = count() * each;
    const auto paths = outputs_[index].all("picture");
    const auto lora = engine_->lora(identity);
    const auto person = person_of(index);
    if (sheet_)
      on_sheet_.add(person.stem, pictures_->draw_all(*engine_, lora, person, paths, before, total));
    else
      pictures_->draw(*engine_, lora, person, paths, before, total);
  }

  /// Of several people: each of their pictures in one batch.
  void make_together(size_t first, size_t end) {
    std::vector<Identity> people;
    for (size_t i = first; i < end; ++i) people.push_back(write_person(i));
    const auto wanted = pictures_->plan().pictures();
    std::vector<std::vector<Picture>> drawn;  // by picture, then by person
    const auto total = static_cast<int64_t>(count() * wanted.size());
    for (const auto& picture : wanted) {
      const auto count = static_cast<int64_t>(people.size());
      const auto before =
          static_cast<int64_t>(first * wanted.size()) + count * static_cast<int64_t>(drawn.size());
      drawn.push_back(engine_->draw_together(people, picture, run_.with_progress([&](ProgressEvent event) {
        event.what = fmt::format("pictures {} to {} of {}", before + 1, before + count, total);
        event.step = before * event.total + event.step * count;
        event.total *= total;
        run_.report(event);
      })));
    }
    for (size_t i = first; i < end; ++i) {
      const auto paths = outputs_[i].all("picture");
      const auto person = person_of(i);
      std::vector<at::Tensor> pixels;
      for (size_t p = 0; p < drawn.size(); ++p) {
        pictures_->write(paths[p], drawn[p][i - first], person);
        pixels.push_back(drawn[p][i - first].pixels);
      }
      if (sheet_) on_sheet_.add(person.stem, std::move(pixels));
    }
  }

  bool is_finished(size_t first, size_t end) const {
    for (size_t i = first; i < end; ++i) {
      for (const auto& path : outputs_[i].all()) {
        if (!arguments_.shared.leaves(path)) return false;
      }
    }
    return true;
  }

  /// Coefficients, and a LoRA if asked for.
  Identity write_person(size_t index) {
    auto options = options_;
    options.seed = seed_of(index);
    const auto identity = sample(space_, options);
    const Json facts = {{"identity_seed", options.seed}};
    const auto outputs = outputs_[index];
    if (const auto* path = outputs.find("coefficients"); path && !arguments_.shared.leaves(*path)) {
      write_identity(*path, identity);
      reporter_.output(path->path, "coefficients", facts);
    }
    if (const auto* path = outputs.find("lora"); path && !arguments_.shared.leaves(*path)) {
      write_lora(*path, *arguments_.lora, engine_->lora(identity), sample_name(options.seed), identity,
                 lora_model(&engine_->checkpoint(), &engine_->space()), arguments_.shared.no_metadata);
      reporter_.output(path->path, "lora", facts);
    }
    return identity;
  }

  const SampleArguments& arguments_;
  Reporter& reporter_;
  const Run& run_;
  Space space_;
  SampleOptions options_;
  uint64_t first_seed_ = 0;
  std::optional<PictureOutputs> pictures_;
  std::optional<OutputPath> matrix_;
  OutputPlan outputs_;               ///< of each person, then of the sheet
  std::optional<OutputPath> sheet_;  ///< where one is to be made
  PeopleOnSheet on_sheet_;
  std::optional<Engine> engine_;  ///< where a picture or a LoRA is wanted
};

}  // namespace

void add_sample(App& app) {
  auto options = std::make_shared<SampleArguments>();
  auto& parser = app.add_command(
      {"sample",
       "sample people who do not exist",
       "",
       {{"w2w sample --count 8 --identity-seed 7 -s 5 --sheet",
         "eight new people, and all of them on one sheet"},
        {"w2w sample --identity-seed 20 -s 1-3", "one person three times, with three noise seeds"},
        {"w2w sample --identity-seed 21 -p 'sks person on the beach' -p 'sks person at night'",
         "in two scenes"},
        {"w2w sample --count 100 --no-images --lora kohya -o loras", "a hundred LoRA files for other tools"},
        {"w2w sample --count 1000 --identity-seed 1 --no-images --matrix people.safetensors",
         "a thousand people in one file; people.safetensors:person-7 is one of them"}}},
      [options](Reporter& reporter) {
        check_shared_options(options->shared);
        SampleRun(*options, reporter).run();
      });
  add_integer(parser, "--count", options->count, {1, 1'000'000}, "how many people");
  add_value(parser, "--identity-seed", "N",
            "seed of the first person, the next ones count up; -1 draws one and prints it (default: -1)",
            [options](const std::string& text) {
              parse_one_seed(text, nullptr, "--identity-seed");
              options->identity_seed = text;
            });
  add_integer(parser, "--components", options->components, {1, 1'000'000},
              "principal components to draw (default: 1000, or all the space has)");
  add_number(parser, "--spread", options->spread, {0, 100},
             "spread around the mean person, in standard deviations of the training models (default: 1, or "
             "the space's)");
  add_lora_option(parser, options->lora, "write each person as a LoRA too");
  add_value(parser, "--matrix", "FILE",
            "write the coefficients of all into this one .safetensors file, instead of a file each",
            [options](const std::string& text) {
              if (std::filesystem::path(text).extension() != ".safetensors") {
                throw Error(ErrorKind::usage,
                            fmt::format("--matrix expects a .safetensors file, found '{}'", text));
              }
              options->matrix = text;
            });
  add_switch(parser, "--no-images", options->no_images, "write no pictures");
  add_sheet_option(parser, options->sheet);
  add_integer(
      parser, "--together", options->together, {1, 4096},
      "people per batch; faster on large GPUs or small pictures, needs more memory; results differ by "
      "rounding only; default: 1");
  add_drawing_options(parser, options->shared);
}

}  // namespace w2w::cli
