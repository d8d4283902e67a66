#include "cli/commands/direction/command.h"

#include <fmt/format.h>

#include "cli/app/app.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"
#include "w2w/space/directions/direction_fit.h"

namespace w2w::cli {
namespace {

const std::vector<std::string> actions = {"fit", "list"};

void check_list(const DirectionOptions& options) {
  if (options.words.size() > 1) {
    throw Error(ErrorKind::usage,
                fmt::format("unexpected argument '{}' of `w2w direction list`", options.words[1]),
                "tables of labels are given as --labels, or as arguments of `direction fit`");
  }
  const std::pair<const char*, bool> fit_only[] = {
      {"--attributes", !options.names.empty()}, {"--method", options.method.has_value()},
      {"--ridge", options.penalty.has_value()}, {"--debias", options.debias},
      {"--without", !options.without.empty()},  {"--holdout", options.holdout.has_value()},
      {"--seed", options.seed.has_value()}};
  for (const auto& [name, given] : fit_only) {
    if (given) throw Error(ErrorKind::usage, fmt::format("{} is an option of `w2w direction fit`", name));
  }
}

void run_direction(const DirectionOptions& options, Reporter& reporter) {
  if (options.words.empty()) {
    throw Error(ErrorKind::usage, "direction expects an action: fit or list", "see `w2w help direction`");
  }
  check_action("direction", actions, options.words[0]);
  reporter.field("action", options.words[0]);
  if (options.words[0] == "fit") return run_direction_fit(options, reporter);
  check_list(options);
  run_direction_list(options, reporter);
}

void add_fit_options(CLI::App& parser, DirectionOptions& options) {
  add_list(parser, "--attributes", options.names, "A,B,...",
           "columns of the labels to fit; default: all that separate the models");
  add_choice(parser, "--method", options.method, direction_methods(),
             "least squares as the reference does; the difference of both groups' means; logistic or ridge "
             "regression, which are more robust to few or noisy labels; default: lstsq");
  add_number(
      parser, "--ridge", options.penalty, {1e-9, 1e9},
      fmt::format("penalty of ridge, in units of the projections' mean squared length, or of logistic, "
                  "on standardised projections; independent of the number of models; default: {:g}, {:g}",
                  *default_penalty(DirectionMethod::ridge), *default_penalty(DirectionMethod::logistic)));
  add_switch(parser, "--debias", options.debias,
             "remove the directions of all other attributes from each one, jointly by least squares");
  add_list(parser, "--without", options.without, "A,B,...", "remove only these attributes from the others");
  add_number(
      parser, "--holdout", options.holdout, {0, 0.9},
      "share of models held out for a test: directions are fitted without them, tested, then fitted again "
      "with all; 0: no test; default: 0.2");
  add_integer(parser, "--seed", options.seed, {0, INT64_MAX},
              "seed that selects the held-out models; default: 0");
}

}  // namespace

void add_direction(App& app) {
  auto options = std::make_shared<DirectionOptions>();
  auto& parser = app.add_command(
      {"direction",
       "list and fit the attributes of a space, for edit",
       "fit [LABELS...] | list",
       {{"w2w direction list", "attributes of the space: how many people have each, and its range"},
        {"w2w direction list --labels mine.csv", "the same for your own labels"},
        {"w2w direction fit mine.csv", "test and fit all columns, save them as directions.safetensors"},
        {"w2w direction fit mine.csv --method ridge --debias",
         "more robust, with all other attributes removed from each"},
        {"w2w direction fit --space my-space -o my-space",
         "from the space's own labels, saved in the space, where edit finds them"},
        {"w2w edit me.safetensors --add Hat=2 --directions directions.safetensors", "using a saved file"}},
       actions},
      [options](Reporter& reporter) { run_direction(*options, reporter); });
  add_arguments(
      parser, "action", options->words,
      "fit: fit a direction for each attribute, from tables of labels (CSV, identity_df.pt; several are "
      "joined) or the space's own. list: show them. Columns: with, without: training models with and "
      "without the attribute; accuracy: share of held-out models classified correctly; "
      "balanced: mean accuracy of both groups; majority: accuracy of always giving the more frequent answer; "
      "std: standard deviation of the training models along the direction, strength 1 of `edit --add`; "
      "smallest, largest: the extreme training models, as strengths; related: attributes with a similar "
      "direction (cosine), candidates for `edit --without`");
  add_fit_options(parser, *options);
  add_attribute_options(parser, options->attributes);
  add_space_option(parser, options->shared);
  add_output_options(parser, options->shared);
  parser.remove_option(parser.get_option("--no-metadata"));  // of pictures
  add_unused_options(parser, options->shared);
}

}  // namespace w2w::cli
