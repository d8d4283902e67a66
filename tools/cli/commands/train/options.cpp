#include "cli/commands/train/options.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/files/people_list.h"
#include "cli/options/lora_option.h"
#include "cli/options/option_groups.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"
#include "w2w/io/image.h"
#include "w2w/pipeline/inversion_picture.h"

namespace w2w::cli {
namespace {

void add_algorithm_options(CLI::App& parser, DreamboothOptions& training) {
  const auto group = [](CLI::Option* option) { option->group(training_group); };
  group(add_text(parser, "-p,--prompt,--instance-prompt", training.prompt, "TEXT",
                 "what the pictures show; default: \"sks person\""));
  group(add_integer(parser, "--steps,--max-train-steps", training.steps, {1, 10'000'000},
                    "optimiser steps; default: 800"));
  group(add_integer(parser, "--batch,--train-batch-size", training.batch, {1, 4096},
                    "pictures of each person per step; default: 1"));
  group(add_number(parser, "--lr,--learning-rate", training.learning_rate, {0, 1e6}, "default: 1e-4"));
  group(add_named(parser, "--lr-schedule,--lr-scheduler", training.schedule, rate_schedule_names(),
                  "learning-rate schedule after the warm-up; default: constant"));
  group(add_integer(parser, "--warmup,--lr-warmup-steps", training.warmup, {0, 10'000'000},
                    "warm-up steps of the learning rate; default: 0"));
  group(add_number(parser, "--weight-decay", training.weight_decay, {0, 1e6},
                   "weight decay of AdamW; default: 0.01"));
  group(add_number(parser, "--max-grad-norm", training.max_gradient_norm, {0, 1e9},
                   "clip the gradient norm to X; 0: no clipping; default: 1"));
  group(add_named(
      parser, "--loss-weight", training.loss_weight, loss_weight_names(),
      "uniform: all timesteps weigh the same; velocity: early ones, which decide colours and layout, "
      "weigh more; default: uniform"));
  group(add_integer(parser, "--rank", training.rank, {1, 1024}, "default: 1, as spaces have"));
  group(add_number(parser, "--alpha", training.alpha, {1e-6, 1e6},
                   "the change of a matrix is alpha / rank * B A; default: 27"));
  group(add_value(parser, "--targets", "NAMES", "layers that are adapted; default: to_q,to_v",
                  [&training](const std::string& text) {
                    training.targets = parse_list("--targets", text, "layers", "to_q,to_v");
                  }));
  group(add_value(
      parser, "-s,--seed", "N",
      "seed of the initial LoRA factors and the noise; equal for all people, so that their LoRAs share one "
      "initialisation; default: 0",
      [&training](const std::string& text) {
        training.seed = static_cast<uint64_t>(parse_integer("--seed", text, {0, INT64_MAX}));
      }));
  group(add_integer(parser, "-W,--width", training.width, {1, 16'384},
                    "pixels to which the pictures are resized; default: the model's"));
  group(add_integer(parser, "-H,--height", training.height, {1, 16'384}, "pixels; default: the model's"));
}

void add_class_options(CLI::App& parser, TrainOptions& options) {
  const auto group = [](CLI::Option* option) { option->group(class_group); };
  group(add_number(parser, "--prior-weight,--prior-loss-weight", options.training.prior_weight, {0, 1e6},
                   "weight of the prior-preservation loss; 0: none, and no "
                   "class pictures; default: 1"));
  group(add_text(parser, "--class-prompt", options.training.class_prompt, "TEXT",
                 "class prompt for prior preservation; default: \"person\""));
  group(add_text(parser, "--class-images,--class-data-dir", options.class_folder, "FOLDER",
                 "folder of class pictures; missing ones are drawn by the model and kept there; default: "
                 "class in the output folder"));
  group(add_integer(parser, "--num-class-images", options.class_count, {1, 1'000'000},
                    "number of class pictures; default: all there are, or 200"));
  group(add_switch(parser, "--prepare", options.prepare,
                   "only make the class pictures, once, before several jobs that share them"));
}

}  // namespace

void add_train_options(CLI::App& parser, TrainOptions& options) {
  add_arguments(parser, "PICTURE", options.pictures,
                fmt::format("pictures of one person, or folders of them: {}", picture_formats));
  add_text(
      parser, "--batch-file,--manifest", options.batch_file, "PATH",
      "many people: a CSV table with the columns name, image (a picture or a folder), prompt and start (a "
      "LoRA, as in --start), paths starting at its folder; or a folder with one folder for each person. "
      "Finished people are skipped, unfinished ones resume");
  add_shard_option(parser, options.shard);
  add_list_option(parser, options.list);
  add_integer(parser, "--together", options.together, {1, 4096},
              "people per batch; faster on large GPUs or small pictures, needs more memory; results differ "
              "by rounding only; default: 1");
  add_name_option(parser, options.name, "name of the outputs; default: the folder's or first picture's");
  add_choice(
      parser, "--fit", options.fit, fit_names(),
      "for pictures of another aspect ratio: crop to the centre, pad with borders, or stretch; default: "
      "crop");
  add_text(parser, "--start", options.start, "LORA",
           "LoRA to start every person from, in place of random factors; same rank and layers");
  add_output_path(
      parser, "--checkpoint", options.checkpoint, "FILE",
      "file for the state, saved at least 20 times in a run, and kept; default: beside the output, "
      "deleted when finished");
  add_switch(parser, "--resume", options.resume, "resume from the saved state, if there is one");
  add_lora_format(
      parser, "--format", [&options](LoraFormat format) { options.format = format; },
      "format of the LoRA; default: kohya, for most tools, also as comfyui and a1111");
  add_choice(parser, "--lora-dtype", options.lora_dtype, {"f32", "bf16", "f16"},
             "precision of the LoRA file; default: f32, best for building spaces");
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
    refuse("--batch-file already lists all pictures", "remove the other ones");
  }
  if (options.batch_file && (options.checkpoint || options.name)) {
    refuse(
        fmt::format("{} is for one person, --batch-file for many", options.name ? "--name" : "--checkpoint"));
  }
  if (options.list && options.prepare) refuse("--list and --prepare cannot be combined");
  if (options.shard && !options.batch_file) refuse("--shard needs --batch-file");
}

}  // namespace w2w::cli
