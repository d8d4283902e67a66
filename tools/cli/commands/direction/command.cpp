#include "cli/commands/direction/command.h"

#include <fmt/format.h>

#include "cli/app/app.h"
#include "cli/options/option_values.h"
#include "w2w/space/directions/direction_fit.h"

namespace w2w::cli {
namespace {

constexpr auto columns_text =
    "with, without: training models with and without the attribute; std: standard deviation of the training "
    "models along the direction, strength 1 of `edit --add`; smallest, largest: the extreme training models, "
    "as strengths; variance: share of the training models' whole variance that lies along the direction; "
    "related: attributes with a similar direction (cosine), candidates for `edit --without`";
constexpr auto score_columns_text =
    "; accuracy: share of held-out models classified correctly; balanced: mean accuracy of both groups; "
    "majority: accuracy of always giving the more frequent answer; auc: share of pairs, one with and one "
    "without, that are put in the right order";

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

void add_direction_fit(App& app, Command& direction) {
  auto options = std::make_shared<DirectionOptions>();
  auto& parser =
      app.add_action(direction,
                     {.name = "fit",
                      .summary = "fit and test a direction for each attribute in tables of labels",
                      .arguments = "[LABELS...]",
                      .examples = {{"w2w direction fit mine.csv",
                                    "test and fit all columns, save them as directions.safetensors"},
                                   {"w2w direction fit mine.csv --method ridge --debias -o ridge.safetensors",
                                    "more robust, with all other attributes removed from each"},
                                   {"w2w direction fit --space my-space -o my-space",
                                    "from the space's own labels, saved in the space, where edit finds them"},
                                   {"w2w edit me.safetensors --add Hat=2 --directions directions.safetensors",
                                    "using a saved file"}},
                      .notes = fmt::format("It prints {}{}.", columns_text, score_columns_text)},
                     [options](Reporter& reporter) { run_direction_fit(*options, reporter); });
  add_arguments(parser, "labels", options->tables,
                "tables of labels (CSV, identity_df.pt), joined; default: the space's own");
  add_fit_options(parser, *options);
  add_attribute_options(parser, options->attributes);
  parser.remove_option(parser.get_option("--directions"));  // they are what is to be found
  add_space_option(parser, options->shared);
  add_output_options(parser, options->shared);
  parser.remove_option(parser.get_option("--no-metadata"));  // of pictures
  add_unused_options(parser, options->shared);
}

void add_direction_list(App& app, Command& direction) {
  auto options = std::make_shared<DirectionOptions>();
  auto& parser = app.add_action(
      direction,
      {.name = "list",
       .summary = "the attributes a space knows, how many people have each, and their ranges",
       .examples = {{"w2w direction list", "of the demo world's space"},
                    {"w2w direction list --labels mine.csv", "the same for your own labels"}},
       .notes = fmt::format("It prints {}{}. The last four: of directions that `direction fit` tested.",
                            columns_text, score_columns_text)},
      [options](Reporter& reporter) { run_direction_list(*options, reporter); });
  add_switch(parser, "--names", options->names_only,
             "only the attributes' names, a line each; nothing is fitted");
  add_attribute_options(parser, options->attributes);
  add_space_option(parser, options->shared);
  add_unused_options(parser, options->shared);
}

}  // namespace

void add_direction(App& app) {
  auto& direction =
      app.add_group({.name = "direction", .summary = "list and fit the attributes of a space, for edit"});
  add_direction_fit(app, direction);
  add_direction_list(app, direction);
}

}  // namespace w2w::cli
