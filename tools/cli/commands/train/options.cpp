#include "cli/commands/train/options.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/options/option_groups.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"
#include "w2w/io/image.h"
#include "w2w/pipeline/inversion_picture.h"

namespace w2w::cli {
namespace {

/// The place of `text` among the names of an enumeration.
template <typename Enum>
CLI::Option* add_named(CLI::App& parser, const std::string& names, Enum& target,
                       const std::vector<std::string>& values, const std::string& help) {
  std::string value_name;
  for (const auto& value : values) value_name += (value_name.empty() ? "" : "|") + value;
  return add_value(parser, names, value_name, help,
                   [&target, values, name = display_name(names)](const std::string& text) {
                     check_choice(name, text, values);
                     target =
                         static_cast<Enum>(std::find(values.begin(), values.end(), text) - values.begin());
                   });
}

void add_algorithm_options(CLI::App& parser, DreamboothOptions& training) {
  const auto group = [](CLI::Option* option) { option->group(training_group); };
  group(add_text(parser, "-p,--prompt,--instance-prompt", training.prompt, "TEXT",
                 "what the pictures show; default: \"sks person\""));
  group(add_integer(parser, "--steps,--max-train-steps", training.steps, {1, 10'000'000},
                    "of the optimiser; default: 800"));
  group(add_integer(parser, "--batch,--train-batch-size", training.batch, {1, 4096},
                    "pictures of a person in a step; default: 1"));
  group(add_number(parser, "--lr,--learning-rate", training.learning_rate, {0, 1e6}, "default: 1e-4"));
  group(add_named(parser, "--lr-schedule,--lr-scheduler", training.schedule, rate_schedule_names(),
                  "how the rate goes on after the warm-up; default: constant"));
  group(add_integer(parser, "--warmup,--lr-warmup-steps", training.warmup, {0, 10'000'000},
                    "steps over which the rate rises; default: 0"));
  group(add_number(parser, "--weight-decay", training.weight_decay, {0, 1e6}, "of AdamW; default: 0.01"));
  group(add_number(parser, "--max-grad-norm", training.max_gradient_norm, {0, 1e9},
                   "longer gradients are shortened; 0: never; default: 1"));
  group(add_named(
      parser, "--loss-weight", training.loss_weight, loss_weight_names(),
      "uniform: every timestep counts alike; velocity: early ones, which decide colours and layout, "
      "count more; default: uniform"));
  group(add_integer(parser, "--rank", training.rank, {1, 1024}, "default: 1, as spaces have"));
  group(add_number(parser, "--alpha", training.alpha, {1e-6, 1e6},
                   "the change of a matrix is alpha / rank * B A; default: 27"));
  group(add_value(parser, "--targets", "NAMES", "layers that are adapted; default: to_q,to_v",
                  [&training](const std::string& text) {
                    training.targets = parse_list("--targets", text, "layers", "to_q,to_v");
                  }));
  group(add_value(parser, "-s,--seed", "N",
                  "of everybody's first factors and random numbers, the same for all so that they make a "
                  "space; default: 0",
                  [&training](const std::string& text) {
                    training.seed = static_cast<uint64_t>(parse_integer("--seed", text, {0, INT64_MAX}));
                  }));
  group(add_integer(parser, "-W,--width", training.width, {1, 16'384},
                    "pixels the pictures are brought to; default: the model's"));
  group(add_integer(parser, "-H,--height", training.height, {1, 16'384}, "pixels; default: the model's"));
}

void add_class_options(CLI::App& parser, TrainOptions& options) {
  const auto group = [](CLI::Option* option) { option->group(class_group); };
  group(add_number(parser, "--prior-weight,--prior-loss-weight", options.training.prior_weight, {0, 1e6},
                   "how much the model is held to what it made of the class before; 0: not at all, and no "
                   "class pictures; default: 1"));
  group(add_text(parser, "--class-prompt", options.training.class_prompt, "TEXT",
                 "what the person is one of; default: \"person\""));
  group(add_text(
      parser, "--class-images,--class-data-dir", options.class_folder, "FOLDER",
      "pictures of the class; those that are missing are drawn by the model and kept there; default: "
      "class in the output folder"));
  group(add_integer(parser, "--num-class-images", options.class_count, {1, 1'000'000},
                    "how many; default: all there are, or 200"));
  group(add_switch(parser, "--prepare", options.prepare,
                   "only make the class pictures: once, before many jobs share them"));
}

}  // namespace

void add_train_options(CLI::App& parser, TrainOptions& options) {
  add_arguments(parser, "PICTURE", options.pictures,
                fmt::format("pictures of one person, or folders of them: {}", picture_formats));
  add_text(
      parser, "--batch-file,--manifest", options.batch_file, "PATH",
      "many people: a CSV table with the columns name, image (a picture or a folder), prompt and start (a "
      "LoRA, as in --start), paths starting at its folder; or a folder with one folder for each person. "
      "Finished people are skipped, unfinished ones go on");
  add_shard_option(parser, options.shard);
  add_integer(parser, "--together", options.together, {1, 4096},
              "people who share each pass through the model: faster where pictures are small or a GPU is "
              "wide, for more memory; the results are the same; default: 1");
  add_name_option(parser, options.name, "of the outputs; default: the folder's or first picture's");
  add_choice(parser, "--fit", options.fit, fit_names(),
             "pictures of another shape than the model's: keep the centre, add borders, or distort; default: "
             "crop");
  add_text(parser, "--start", options.start, "LORA",
           "what everybody starts from in place of random factors: a LoRA of the same rank and layers");
  add_text(
      parser, "--checkpoint", options.checkpoint, "FILE",
      "where the state is saved, at least every 20th of the steps, and kept; default: beside the output, "
      "until it is finished");
  add_switch(parser, "--resume", options.resume, "go on from the saved state, if there is one");
  add_choice(parser, "--format", options.format, {"kohya", "peft", "diffusers"},
             "of the LoRA; default: kohya, which loads everywhere");
  add_choice(parser, "--lora-dtype", options.lora_dtype, {"f32", "bf16", "f16"},
             "numbers in the LoRA file; default: f32, best for making spaces");
  add_algorithm_options(parser, options.training);
  add_class_options(parser, options);
}

void check(const TrainOptions& options) {
  check_shared_options(options.shared);
  options.training.check();
  const auto refuse = [](const std::string& what, const std::string& hint = {}) {
    throw Error(ErrorKind::usage, what, hint);
  };
  if (options.pictures.empty() && !options.batch_file && !options.prepare) {
    refuse("train needs pictures of a person", "w2w train FOLDER, or --batch-file for many people");
  }
  if (options.batch_file && !options.pictures.empty()) {
    refuse("--batch-file names all pictures itself", "leave out the others");
  }
  if (options.batch_file && (options.checkpoint || options.name)) {
    refuse(
        fmt::format("{} is for one person, --batch-file for many", options.name ? "--name" : "--checkpoint"));
  }
  if (options.shard && !options.batch_file)
    refuse("--shard divides the people of a --batch-file, found none");
}

}  // namespace w2w::cli
