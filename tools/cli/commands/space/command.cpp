// w2w space: makes, converts and looks at spaces. The actions run in files of their own.

#include "cli/app/app.h"
#include "cli/commands/space/options.h"
#include "cli/options/option_groups.h"
#include "cli/options/option_values.h"

namespace w2w::cli {
namespace {

using RunAction = void (*)(const SpaceOptions&, Reporter&);

struct Action {
  CLI::App& parser;
  SpaceOptions& options;  ///< what its run gets
};

Action add_action(App& app, Command& space, RunAction run, CommandText text) {
  auto options = std::make_shared<SpaceOptions>();
  options->action = text.name;
  auto& parser =
      app.add_action(space, std::move(text), [options, run](Reporter& reporter) { run(*options, reporter); });
  return {parser, *options};
}

void add_method_options(CLI::App& parser, SpaceOptions& options) {
  auto& build = options.build;
  add_choice(
      parser, "--method", options.method, {"auto", "exact", "randomized"},
      "use randomized when the Gram matrix of all models does not fit into memory; default: auto, exact "
      "up to 16,384 models");
  add_number(parser, "--oversample", build.oversample, {1, 1000},
             "randomized: basis vectors per component; default: 4");
  add_integer(parser, "--passes", build.passes, {1, 1000}, "randomized: passes over the models; default: 8");
  add_integer(parser, "--seed", build.seed, {0, INT64_MAX},
              "randomized: seed of the initial block; default: 0");
  add_number(parser, "--save-every", build.save_every, {0, 1e9},
             "seconds between saved states, from which an interrupted build resumes; default: 60");
}

void add_build_options(CLI::App& parser, SpaceOptions& options) {
  auto& build = options.build;
  add_integer(parser, "--components", options.components, {1, 1'000'000},
              "components to keep; default: as many as the models give, at most 1000");
  add_choice(parser, "--dtype", options.dtype, {"auto", "f32", "f16", "bf16"},
             "precision in which the components are stored; default: auto, f32");
  add_switch(parser, "--canonical", build.canonical,
             "normalise scale and sign of each LoRA first; needed when they were not trained from the same "
             "initialisation; always done when one has a rank above 1");
  add_switch(parser, "--partial", build.partial, "ignore what LoRAs change besides the UNet's linear layers");
  add_text(parser, "--names", options.names, "FILE",
           "the models' names, in order: .txt a line each, or the first column of a .csv");
  add_output_path(parser, "--weights", options.weights, "FILE",
                  "also save the matrix of all models, to build again without the LoRAs");
  add_integer(parser, "--projections", build.projections, {1, 1'000'000},
              "coefficients to store for each model; default: all components");
  add_number(parser, "--alpha", build.alpha, {1e-6, 1e6},
             "LoRA alpha of the space, not folded into the factors; default: 27");
  add_method_options(parser, options);
}

/// The name of the base model and the defaults of drawing, stored in the new space.
void add_default_options(CLI::App& parser, SpaceOptions& options) {
  add_text(parser, "--base-model", options.base_model, "NAME", "name of the base model");
  add_text(parser, "-p,--prompt", options.prompt, "TEXT",
           "default prompt of the space; default: that of `train`, or \"sks person\"");
  add_value(parser, "-n,--negative-prompt", "TEXT", "default negative prompt of the space",
            [&options](const std::string& text) {
              check_negative_prompt(text);
              options.negative_prompt = text;
            });
  add_number(parser, "--cfg-scale,--guidance-scale", options.cfg_scale, {0, 1000},
             "default guidance of the space");
  add_integer(parser, "--steps,--num-inference-steps", options.steps, {1, 10'000},
              "default steps of the space");
  add_number(parser, "--spread", options.spread, {0, 100}, "default --spread of sample");
  add_integer(parser, "-W,--width", options.width, {8, 16'384}, "default picture width, pixels");
  add_integer(parser, "-H,--height", options.height, {8, 16'384}, "default picture height, pixels");
}

void add_folder_options(CLI::App& parser, SpaceOptions& options, const std::string& force) {
  add_output_path(parser, "-o,--output", options.shared.output, "FOLDER", "the new space")
      ->group(output_group);
  add_switch(parser, "--force", options.shared.force, force)->group(output_group);
}

void add_space_build(App& app, Command& space) {
  const auto build = add_action(
      app, space, run_space_build,
      {.name = "build",
       .summary = "build a space: the principal components of many LoRAs",
       .arguments = "SOURCE...",
       .examples = {{"w2w space build loras -o space", "principal components of a folder of LoRAs"},
                    {"w2w space build all_weights.pt -m MODEL --components 1000 -o space",
                     "from a matrix of weight vectors"},
                    {"w2w space build space new_loras -o larger", "add people to a space"}}});
  add_arguments(
      build.parser, "source", build.options.arguments,
      "LoRA files, folders of LoRAs, matrices [n, P] (.pt, .safetensors) and spaces, in any mixture");
  add_build_options(build.parser, build.options);
  add_default_options(build.parser, build.options);
  add_model_option(build.parser, build.options.shared);
  add_device_option(build.parser, build.options.shared,
                    "device of the computation, also cuda:N; default: auto, the CPU");
  add_folder_options(build.parser, build.options,
                     "replace an existing space; also start over if there is an unfinished build of other "
                     "models");
  add_unused_options(build.parser, build.options.shared);
}

void add_space_convert(App& app, Command& space) {
  const auto convert = add_action(
      app, space, run_space_convert,
      {.name = "convert",
       .summary = "convert a released space to the compact form",
       .arguments = "SPACE",
       .examples = {{"w2w space convert released/files -m MODEL --dtype bf16 -o space",
                     "the release at half its size"},
                    {"w2w space convert space --components 20 -o small", "only the first components"}}});
  add_arguments(convert.parser, "space", convert.options.arguments,
                "a w2w space, or the released `files` folder (V.pt, mean.pt, ...)");
  add_integer(convert.parser, "--components", convert.options.components, {1, 1'000'000},
              "only the first N; default: all");
  add_choice(convert.parser, "--dtype", convert.options.dtype, {"auto", "f32", "f16", "bf16"},
             "precision in which the components are stored; default: auto, that of the source");
  add_default_options(convert.parser, convert.options);
  add_model_option(convert.parser, convert.options.shared);
  add_folder_options(convert.parser, convert.options, "replace an existing space");
  add_unused_options(convert.parser, convert.options.shared);
}

void add_space_info(App& app, Command& space) {
  const auto info =
      add_action(app, space, run_space_info,
                 {.name = "info",
                  .summary = "what a space holds: its spectrum and training models",
                  .arguments = "[SPACE]",
                  .examples = {{"w2w space info space", "its spectrum and training models"},
                               {"w2w space info -v --components 40", "more components, of the demo world"}}});
  add_arguments(info.parser, "space", info.options.arguments,
                "a w2w space, or the released `files` folder; default: --space, or the demo world's");
  add_integer(info.parser, "--components", info.options.components, {1, 1'000'000},
              "how many to describe; default: 10");
  add_space_option(info.parser, info.options.shared);
  add_unused_options(info.parser, info.options.shared);
}

void add_space_verify(App& app, Command& space) {
  const auto verify =
      add_action(app, space, run_space_verify,
                 {.name = "verify",
                  .summary = "check that a space is complete; for a release, list missing files",
                  .arguments = "[SPACE]",
                  .examples = {{"w2w space verify space", "check its files"},
                               {"w2w space verify released/files -m MODEL",
                                "check a download, and that it belongs to the model"}}});
  add_arguments(verify.parser, "space", verify.options.arguments,
                "a w2w space, or the released `files` folder; default: --space, or the demo world's");
  add_model_option(verify.parser, verify.options.shared);
  add_space_option(verify.parser, verify.options.shared);
  add_unused_options(verify.parser, verify.options.shared);
}

}  // namespace

void add_space(App& app) {
  auto& space = app.add_group(
      {.name = "space", .summary = "build a space from LoRAs; convert, describe and check spaces"});
  add_space_build(app, space);
  add_space_convert(app, space);
  add_space_info(app, space);
  add_space_verify(app, space);
}

}  // namespace w2w::cli
