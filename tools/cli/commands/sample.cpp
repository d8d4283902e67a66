// w2w sample: people who never existed, drawn from the space.

#include <ATen/ops/stack.h>
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "cli/app/app.h"
#include "cli/commands/pictures.h"
#include "cli/files/locate.h"
#include "cli/files/lora_output.h"
#include "cli/files/space_choice.h"
#include "cli/options/lora_option.h"
#include "cli/options/option_values.h"
#include "cli/options/seeds.h"
#include "w2w/base/error.h"
#include "w2w/lora/formats.h"
#include "w2w/space/sampling.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

struct SampleOptions {
  SharedOptions shared;
  int64_t count = 1;
  std::optional<int64_t> components;
  std::optional<double> spread;
  std::string identity_seed = "-1";
  std::optional<std::string> lora;
  bool no_images = false;
  int64_t together = 1;
};

/// One person of the run and where its files go. Of a million there is no more than this.
struct Draw {
  uint64_t seed;
  std::span<const OutputPath> paths;  ///< coefficients, LoRA if asked for, pictures
};

std::string name_of(uint64_t seed) { return fmt::format("person-{}", seed); }

int64_t components_of(const SampleOptions& options, const Space& space) {
  if (options.components) {
    space.components(*options.components);  // refuses a number above the space's
    return *options.components;
  }
  return components_up_to(reference_components,
                          std::min(space.components(), space.projection_statistics().mean.numel()));
}

class SampleRun {
 public:
  SampleRun(const SampleOptions& options, Reporter& reporter)
      : options_(options),
        reporter_(reporter),
        space_path_(locate_space(options.shared.space)),
        space_(Space::open(space_path_)),
        components_(components_of(options, space_)),
        spread_(options.spread.value_or(space_.data().defaults.spread)) {}

  void run() {
    plan();
    const bool needs_model = !options_.no_images || options_.lora;
    if (needs_model) {
      model_.emplace(open_model(options_.shared));
      fitted_space_ = open_space_of(*model_, space_path_);
    }
    const auto group = static_cast<size_t>(pictures_ ? options_.together : 1);
    for (size_t i = 0; i < draws_.size(); i += group) {
      check_interrupt();
      const auto some = std::span(draws_).subspan(i, std::min(group, draws_.size() - i));
      if (std::all_of(some.begin(), some.end(), [&](const Draw& draw) { return is_finished(draw); }))
        continue;
      some.size() == 1 ? make(some.front(), i) : make_together(some, i);
    }
  }

 private:
  /// Names everything and refuses what cannot be written, before any work.
  void plan() {
    if (!options_.no_images) pictures_.emplace(options_.shared, space_.data().defaults);
    const uint64_t first = parse_one_seed(options_.identity_seed, draw_seed, "--identity-seed");
    if (first > UINT64_MAX - static_cast<uint64_t>(options_.count - 1)) {
      throw Error(ErrorKind::usage,
                  fmt::format("--identity-seed {} leaves no seeds for {} people: the last is {}", first,
                              options_.count, UINT64_MAX));
    }
    std::vector<PlannedOutput> outputs;
    for (int64_t i = 0; i < options_.count; ++i) {
      check_interrupt();
      draws_.push_back({first + static_cast<uint64_t>(i), {}});
      const auto name = name_of(draws_.back().seed);
      outputs.push_back({"coefficients", name, ".safetensors"});
      if (options_.lora) outputs.push_back({"lora", name, lora_suffix(*options_.lora)});
      if (pictures_) {
        for (auto& picture : pictures_->planned(name)) outputs.push_back(std::move(picture));
      }
    }
    paths_ = plan_outputs(options_.shared.output, outputs, options_.shared.existing());
    const size_t each = paths_.size() / draws_.size();
    for (size_t i = 0; i < draws_.size(); ++i) draws_[i].paths = std::span(paths_).subspan(i * each, each);
  }

  Person person_of(const Draw& draw) const {
    return {name_of(draw.seed),
            {"sample", "--identity-seed", std::to_string(draw.seed), "--components",
             std::to_string(components_), "--spread", fmt::format("{}", spread_)},
            {{"identity_seed", draw.seed}}};
  }

  void make(const Draw& draw, size_t index) {
    const auto identity = write_person(draw);
    if (!pictures_) return;
    model_->set_person(fitted_space_->lora(identity.coefficients));
    pictures_->draw(*model_, person_of(draw), picture_paths(draw), reporter_, index, draws_.size());
  }

  /// Of several people: each of their pictures in one batch.
  void make_together(std::span<const Draw> draws, size_t index) {
    std::vector<at::Tensor> thetas;
    for (const auto& draw : draws) thetas.push_back(fitted_space_->theta(write_person(draw).coefficients));
    const auto pictures = pictures_->pictures();
    std::vector<std::vector<at::Tensor>> drawn;  // by picture, then by person
    auto bar = reporter_.progress();
    const auto total = static_cast<int64_t>(draws_.size() * pictures.size());
    for (const auto& picture : pictures) {
      const auto before = static_cast<int64_t>(index * pictures.size() + drawn.size() * draws.size());
      drawn.push_back(
          model_->run_together(at::stack(thetas), fitted_space_->layout(), picture, [&](ProgressEvent event) {
            event.what = fmt::format("pictures {} to {} of {}", before + 1,
                                     before + static_cast<int64_t>(draws.size()), total);
            event.step = before * event.total + event.step * static_cast<int64_t>(draws.size());
            event.total *= total;
            report(bar, event);
          }));
    }
    for (size_t person = 0; person < draws.size(); ++person) {
      const auto paths = picture_paths(draws[person]);
      const auto made = person_of(draws[person]);
      for (size_t i = 0; i < pictures.size(); ++i) {
        pictures_->write(paths[i], drawn[i][person], *model_, made, pictures[i], reporter_);
      }
    }
  }

  bool is_finished(const Draw& draw) const {
    return std::all_of(draw.paths.begin(), draw.paths.end(),
                       [&](const OutputPath& path) { return options_.shared.leaves(path); });
  }

  std::span<const OutputPath> picture_paths(const Draw& draw) const {
    return draw.paths.subspan(options_.lora ? 2 : 1);
  }

  /// Coefficients, and a LoRA if asked for.
  Identity write_person(const Draw& draw) {
    auto identity = draw_identity(space_, components_, spread_, draw.seed);
    identity.model = space_.data().base_model;
    identity.history = json_text(Json::array({{{"command", "sample"},
                                               {"identity_seed", draw.seed},
                                               {"components", components_},
                                               {"spread", spread_}}}));
    identity.trigger = space_.data().defaults.prompt;
    const Json facts = {{"identity_seed", draw.seed}};
    if (!options_.shared.leaves(draw.paths[0])) {
      write_identity(draw.paths[0], identity);
      reporter_.output(draw.paths[0].path, "coefficients", facts);
    }
    if (options_.lora && !options_.shared.leaves(draw.paths[1])) {
      write_lora(draw.paths[1], *options_.lora, fitted_space_->lora(identity.coefficients),
                 name_of(draw.seed), identity, options_.shared.no_metadata);
      reporter_.output(draw.paths[1].path, "lora", facts);
    }
    return identity;
  }

  const SampleOptions& options_;
  Reporter& reporter_;
  fs::path space_path_;
  Space space_;  ///< what people are drawn from; keeps its statistics
  int64_t components_;
  double spread_;
  std::optional<PictureJob> pictures_;
  std::vector<OutputPath> paths_;
  std::vector<Draw> draws_;
  std::optional<TextToImage> model_;
  std::optional<Space> fitted_space_;  ///< the same, checked against the model: what makes LoRAs
};

}  // namespace

void add_sample(App& app) {
  auto options = std::make_shared<SampleOptions>();
  auto& parser =
      app.add_command({"sample",
                       "draw people who never existed",
                       "",
                       {{"w2w sample --count 4 -o people", "four new people, with a picture of each"},
                        {"w2w sample --identity-seed 7 -s 1-3", "person 7 three times, over three noises"},
                        {"w2w sample --identity-seed 7 -p 'sks person on the beach' -p 'sks person at night'",
                         "in two scenes"},
                        {"w2w sample --count 100 --no-images --lora kohya -o loras",
                         "a hundred LoRA files for other tools"}}},
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
             "how far from the mean person, in standard deviations of the training models (default: 1, or "
             "the space's)");
  add_lora_option(parser, options->lora, "write each person as a LoRA too");
  add_switch(parser, "--no-images", options->no_images, "write no pictures");
  add_integer(
      parser, "--together", options->together, {1, 4096},
      "people who share each pass through the model: faster where a GPU is wide or pictures are small, for "
      "more memory; the pictures are the same but for roundings; default: 1");
  add_drawing_options(parser, options->shared);
}

}  // namespace w2w::cli
