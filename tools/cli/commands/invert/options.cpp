#include "cli/commands/invert/options.h"

#include <fmt/format.h>

#include "cli/files/people_list.h"
#include "cli/options/lora_option.h"
#include "cli/options/option_values.h"
#include "cli/options/seeds.h"
#include "w2w/base/error.h"
#include "w2w/engine/people.h"
#include "w2w/io/image.h"

namespace w2w::cli {
InversionOptions resolve(const InvertOptions& options, const Space& space, const Run& run) {
  auto resolved =
      inversion_preset(options.preset == "ood" ? InversionPreset::ood : InversionPreset::real,
                       options.method == "fast" ? InversionMethod::fast : InversionMethod::reference);
  if (options.components) {
    resolved.components = *options.components;
    space.components(resolved.components);  // refuses a number above the space's
  } else {
    resolved.components = components_up_to(resolved.components, space.components(), run);
  }
  resolved.steps = options.steps.value_or(resolved.steps);
  resolved.learning_rate = options.learning_rate.value_or(resolved.learning_rate);
  resolved.weight_decay = options.weight_decay.value_or(resolved.weight_decay);
  resolved.prior = options.prior;
  resolved.batch = options.batch;
  resolved.accumulate = options.accumulate;
  resolved.prompt =
      options.shared.prompts.empty() ? space.data().defaults.prompt : options.shared.prompts.front();
  resolved.width = options.shared.width.value_or(space.data().defaults.width);
  resolved.height = options.shared.height.value_or(space.data().defaults.height);
  resolved.check();
  return resolved;
}

void add_invert_options(CLI::App& parser, InvertOptions& options) {
  add_arguments(parser, "IMAGE", options.images, fmt::format("pictures of one person: {}", picture_formats));
  add_list(parser, "--mask", options.masks, "FILE",
           "white where the person is; once per picture; default: the picture's alpha, or all of it");
  add_value(parser, "--mask-labels", "LIST",
            "the masks are class maps of a face parser: use these classes, such as 1-13,17",
            [&options](const std::string& text) {
              const auto refuse = [&text]() -> uint64_t {  // also what parse_seeds calls for a -1
                throw Error(ErrorKind::usage,
                            fmt::format("--mask-labels expects classes from 0 to 255, found '{}'", text));
              };
              for (const auto label : parse_seeds(text, refuse, "--mask-labels")) {
                options.mask_labels.push_back(static_cast<int64_t>(label <= 255 ? label : refuse()));
              }
            });
  add_choice(
      parser, "--fit", options.fit, fit_names(),
      "for pictures of another aspect ratio: crop to the centre or around the mask, pad with masked borders, "
      "or stretch; default: crop");
  add_text(
      parser, "--batch-file", options.batch_file, "FILE",
      "many people: a CSV table with the columns name, image and mask (a name twice: two pictures of one "
      "person; paths start at the table's folder); finished people are skipped");
  add_shard_option(parser, options.shard);
  add_list_option(parser, options.list);
  add_name_option(parser, options.name, "name of the outputs; default: the first picture's");
  add_choice(parser, "--preset", options.preset, {"real", "ood", "reference"},
             "real: photographs (10000 components, 400 steps, lr 0.1); ood: paintings and cartoons (1000 "
             "components, 800 steps, lr 1); reference: the paper's, as real; default: real");
  add_choice(parser, "--method", options.method, {"reference", "fast"},
             "reference: the paper's; fast: 100 steps (lr 0.2, cosine decay) in units of the space's "
             "standard deviations; "
             "default: reference");
  add_integer(parser, "--components", options.components, {1, 1'000'000},
              "principal components to optimise; default: the preset's, or all the space has");
  add_integer(parser, "--steps,--epochs", options.steps, {1, 1'000'000},
              "optimiser steps; default: the method's or preset's");
  add_number(parser, "--lr,--learning-rate", options.learning_rate, {0, 1e6},
             "learning rate; default: the method's or preset's");
  add_number(parser, "--weight-decay", options.weight_decay, {0, 1e6},
             "weight decay (L2); default: the method's or preset's");
  add_number(
      parser, "--prior", options.prior, {0, 1000},
      "keep the person typical: at most X standard deviations from the mean person (root mean square); "
      "1.5 suits pictures of somebody unlike all people of the space; default: 0, no limit");
  add_integer(parser, "--batch", options.batch, {1, 4096}, "noised pictures per batch; default: 1");
  add_integer(parser, "--accumulate", options.accumulate, {1, 4096},
              "batches per step (gradient accumulation): as a larger batch, with less memory; default: 1");
  add_value(parser, "-s,--seed", "N", "seed of all random numbers; -1 draws one and prints it; default: -1",
            [&options](const std::string& text) {
              parse_one_seed(text, nullptr);
              options.seed = text;
            });
  add_value(parser, "-p,--prompt", "TEXT", "what the pictures show; default: the space's, or \"sks person\"",
            [&options](const std::string& text) { options.shared.prompts = {text}; });
  add_integer(parser, "-W,--width", options.shared.width, {1, 16'384},
              "pixels to which the pictures are resized; default: the model's");
  add_integer(parser, "-H,--height", options.shared.height, {1, 16'384}, "pixels; default: the model's");
  add_output_path(parser, "--checkpoint", options.checkpoint, "FILE",
                  "file for the state, saved at least 20 times in a run; default: beside the output, "
                  "deleted when finished");
  add_switch(parser, "--resume", options.resume, "resume from the saved state, if there is one");
  add_integer(parser, "--preview-every", options.preview_every, {0, 1'000'000},
              "draw the person every N steps and at the end; default: 0, never");
  add_integer(parser, "--preview-steps", options.preview_steps, {1, 1000},
              "denoising steps of a preview and of the sheet; default: 20");
  add_switch(parser, "--no-images", options.no_images, "do not draw the person at the end");
  add_lora_option(parser, options.lora, "write the person as a LoRA too");
}

}  // namespace w2w::cli
