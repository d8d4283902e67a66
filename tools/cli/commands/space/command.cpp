// w2w space: makes, converts and looks at spaces. The actions are in files of their own.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "cli/app/app.h"
#include "cli/commands/space/options.h"
#include "cli/files/locate.h"
#include "cli/options/option_groups.h"
#include "cli/options/option_values.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/atomic_folder.h"
#include "w2w/base/error.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;
using RunAction = void (*)(const SpaceOptions&, Reporter&);

struct Action {
  RunAction run;
  std::set<std::string> options;  ///< those of its own, by their long names
};

const std::map<std::string, Action>& actions() {
  static const std::set<std::string> defaults = {"base-model", "prompt", "negative-prompt", "cfg-scale",
                                                 "steps",      "spread", "width",           "height"};
  static const auto with_defaults = [](std::set<std::string> own) {
    own.insert(defaults.begin(), defaults.end());
    own.insert({"output", "force", "model"});
    return own;
  };
  static const std::map<std::string, Action> all = {
      {"build",
       {run_space_build,
        with_defaults({"components", "projections", "dtype", "canonical", "partial", "names", "weights",
                       "method", "oversample", "passes", "seed", "save-every", "alpha", "device"})}},
      {"convert", {run_space_convert, with_defaults({"components", "dtype"})}},
      {"info", {run_space_info, {"space", "model", "components", "dtype"}}},
      {"verify", {run_space_verify, {"space", "model", "dtype"}}},
  };
  return all;
}

std::vector<std::string> action_names() {
  std::vector<std::string> names;
  for (const auto& [name, action] : actions()) names.push_back(name);
  return names;
}

const Action& action_of(const SpaceOptions& options) {
  if (options.words.empty()) {
    throw Error(ErrorKind::usage, "space expects an action: build, convert, info or verify",
                "see `w2w help space`");
  }
  check_action("space", action_names(), options.words[0]);
  return actions().at(options.words[0]);
}

/// An option of another action was most likely meant for that one.
void check_options(const CLI::App& parser, const std::string& name, const Action& action) {
  std::set<std::string> special;
  for (const auto& [other, its] : actions()) special.insert(its.options.begin(), its.options.end());
  for (const auto* option : parser.get_options()) {
    if (option->count() == 0 || option->get_lnames().empty()) continue;
    const auto& long_name = option->get_lnames().front();
    if (!special.contains(long_name) || action.options.contains(long_name)) continue;
    if (!environment_name(*option).empty())
      continue;  // it may have come from the environment, for all commands
    throw Error(ErrorKind::usage, fmt::format("--{} is not an option of `w2w space {}`", long_name, name),
                "see `w2w help space`");
  }
}

void add_build_options(CLI::App& parser, SpaceOptions& options) {
  auto& build = options.build;
  add_integer(
      parser, "--components", options.components, {1, 1'000'000},
      "build: components to keep; default: as many as the models give, at most 1000. convert: only the "
      "first N; default: all. info: how many to describe; default: 10");
  add_choice(parser, "--dtype", options.dtype, {"auto", "f32", "f16", "bf16"},
             "build, convert: precision in which the components are stored; default: auto, f32 "
             "or that of the source; info, verify: no effect");
  add_switch(
      parser, "--canonical", build.canonical,
      "build: normalise scale and sign of each LoRA first; needed when they were not trained from the same "
      "initialisation; always done when one has a rank above 1");
  add_switch(parser, "--partial", build.partial,
             "build: ignore what LoRAs change besides the UNet's linear layers");
  add_text(parser, "--names", options.names, "FILE",
           "build: the models' names, in order: .txt a line each, or the first column of a .csv");
  add_text(parser, "--weights", options.weights, "FILE",
           "build: also save the matrix of all models, to build again without the LoRAs");
  add_integer(parser, "--projections", build.projections, {1, 1'000'000},
              "build: coefficients to store for each model; default: all components");
  add_choice(parser, "--method", options.method, {"auto", "exact", "randomized"},
             "build: use randomized when the Gram matrix of all models does not fit into memory; default: "
             "auto, exact "
             "up to 16,384 models");
  add_number(parser, "--oversample", build.oversample, {1, 1000},
             "build, randomized: basis vectors per component; default: 4");
  add_integer(parser, "--passes", build.passes, {1, 1000},
              "build, randomized: passes over the models; default: 8");
  add_integer(parser, "--seed", build.seed, {0, INT64_MAX},
              "build, randomized: seed of the initial block; default: 0");
  add_number(parser, "--alpha", build.alpha, {1e-6, 1e6},
             "build: LoRA alpha of the space, not folded into the factors; default: 27");
  add_number(parser, "--save-every", build.save_every, {0, 1e9},
             "build: seconds between saved states, from which an interrupted build resumes; default: 60");
}

void add_default_options(CLI::App& parser, SpaceOptions& options) {
  add_text(parser, "--base-model", options.base_model, "NAME", "build, convert: name of the base model");
  add_text(parser, "-p,--prompt", options.prompt, "TEXT",
           "build, convert: default prompt of the space; default: that of `train`, or \"sks person\"");
  add_text(parser, "-n,--negative-prompt", options.negative_prompt, "TEXT",
           "build, convert: default negative prompt of the space");
  add_number(parser, "--cfg-scale,--guidance-scale", options.cfg_scale, {0, 1000},
             "build, convert: default guidance of the space");
  add_integer(parser, "--steps,--num-inference-steps", options.steps, {1, 10'000},
              "build, convert: default steps of the space");
  add_number(parser, "--spread", options.spread, {0, 100}, "build, convert: default --spread of sample");
  add_integer(parser, "-W,--width", options.width, {8, 16'384},
              "build, convert: default picture width, pixels");
  add_integer(parser, "-H,--height", options.height, {8, 16'384},
              "build, convert: default picture height, pixels");
}

}  // namespace

OutputPath plan_space_folder(const SpaceOptions& options, const Run& run) {
  if (!options.shared.output || options.shared.output->empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("space {} needs -o, the folder of the new space", options.words[0]),
                "w2w space " + options.words[0] + " SOURCE -o FOLDER");
  }
  fs::path folder = *options.shared.output;
  if (!folder.has_filename()) folder = folder.parent_path();
  std::error_code error;
  const auto refuse = [&](const std::string& what, const std::string& hint) {
    throw Error(ErrorKind::failure, fmt::format("{} ({})", what, folder.string()), hint);
  };
  const auto above = folder.parent_path();
  remove_leftovers(above, run);
  check_file_name(folder.string() + ".building");
  if (fs::exists(folder, error)) {
    if (!fs::is_directory(folder)) refuse("the output is a file, expected a folder", "choose another -o");
    const bool is_space = fs::exists(folder / "space.json", error);
    if (!fs::is_empty(folder, error) && !(options.shared.force && is_space)) {
      refuse("the output exists already", is_space ? "pass --force to replace it, or choose another -o"
                                                   : "--force replaces spaces only; choose another -o");
    }
  }
  if (!above.empty()) fs::create_directories(above, error);
  if (error) refuse("cannot make the output folder", error.message());
  return {folder, options.shared.force};
}

fs::path space_folder(const SpaceOptions& options, const Run& run) {
  const auto arguments = options.arguments();
  if (arguments.size() > 1) {
    throw Error(ErrorKind::usage,
                fmt::format("unexpected argument '{}' of `w2w space {}`", arguments[1], options.words[0]),
                "see `w2w help space`");
  }
  return arguments.empty() ? locate_space(options.shared.space, run) : fs::path(arguments.front());
}

SpaceDefaults with_options(SpaceDefaults defaults, const SpaceOptions& options) {
  defaults.prompt = options.prompt.value_or(defaults.prompt);
  defaults.negative_prompt = options.negative_prompt.value_or(defaults.negative_prompt);
  defaults.cfg_scale = options.cfg_scale.value_or(defaults.cfg_scale);
  defaults.steps = options.steps.value_or(defaults.steps);
  defaults.spread = options.spread.value_or(defaults.spread);
  defaults.width = options.width.value_or(defaults.width);
  defaults.height = options.height.value_or(defaults.height);
  return defaults;
}

void add_space(App& app) {
  auto options = std::make_shared<SpaceOptions>();
  auto own = std::make_shared<const CLI::App*>();  // set once the command was added
  auto& parser = app.add_command(
      {"space",
       "build a space from LoRAs; convert, describe and check spaces",
       "build|convert|info|verify [SOURCE...]",
       {{"w2w space build loras -o space", "the principal components of a folder of LoRAs"},
        {"w2w space build all_weights.pt -m MODEL --components 1000 -o space",
         "from a matrix of weight vectors"},
        {"w2w space build space new_loras -o larger", "a space with more people"},
        {"w2w space convert released/files -m MODEL --dtype bf16 -o space", "the release at half its size"},
        {"w2w space info space", "its spectrum and training models"},
        {"w2w space verify space", "check its files"}},
       action_names()},
      [options, own](Reporter& reporter) {
        const auto& action = action_of(*options);
        if (options->dtype == "auto") options->dtype.clear();
        check_options(**own, options->words[0], action);
        reporter.field("action", options->words[0]);
        action.run(*options, reporter);
      });
  *own = &parser;
  add_arguments(
      parser, "action", options->words,
      "build: from LoRA files, folders of LoRAs, matrices [n, P] (.pt, .safetensors) and spaces, in any "
      "mixture; convert: a released or compact space; info, verify: a space, default: the demo "
      "world's");
  add_build_options(parser, *options);
  add_default_options(parser, *options);
  add_model_option(parser, options->shared);
  add_space_option(parser, options->shared);
  add_device_option(parser, options->shared,
                    "build: device of the computation, also cuda:N; default: auto, the CPU");
  add_text(parser, "-o,--output", options->shared.output, "FOLDER", "build, convert: the new space")
      ->group(output_group);
  add_switch(parser, "--force", options->shared.force,
             "build, convert: replace an existing space; build: also start over if there is an unfinished "
             "build of other models")
      ->group(output_group);
}

}  // namespace w2w::cli
