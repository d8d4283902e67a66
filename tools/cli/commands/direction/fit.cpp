#include "w2w/space/directions/direction_fit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/commands/direction/command.h"
#include "cli/commands/direction/table.h"
#include "cli/files/locate.h"
#include "cli/files/output_paths.h"
#include "cli/options/edit_values.h"
#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"

namespace w2w::cli {
namespace {

void refuse_pair(bool both, const char* first, const char* second) {
  if (both) throw Error(ErrorKind::usage, fmt::format("{} and {} cannot be combined", first, second));
}

/// What can be settled before anything is opened; attributes are to follow.
DirectionFit typed_fit(const DirectionOptions& options) {
  refuse_pair(options.debias && !options.without.empty(), "--debias", "--without");
  refuse_pair(options.seed && options.holdout == 0.0, "--seed", "--holdout 0");
  DirectionFit fit;
  const auto& methods = direction_methods();
  const auto method = options.method.value_or(methods.front());
  fit.method =
      static_cast<DirectionMethod>(std::find(methods.begin(), methods.end(), method) - methods.begin());
  if (options.penalty && !default_penalty(fit.method)) {
    throw Error(ErrorKind::usage,
                fmt::format("--ridge is the penalty of ridge and logistic, not of {}", method),
                "add --method ridge or --method logistic");
  }
  fit.penalty = options.penalty;
  fit.attributes = parse_names(options.names, "--attributes");
  fit.without = parse_names(options.without, "--without");
  return fit;
}

Labels labels_of(const DirectionOptions& options, const Space& space, const Run& run) {
  auto files = options.tables;
  if (options.attributes.labels) files.push_back(*options.attributes.labels);
  if (files.empty() && !Labels::of_space(space)) {
    throw Error(
        ErrorKind::not_found,
        fmt::format("space ({}) has no labels: expected labels.csv or identity_df.pt in it", space.origin()),
        "give a table of them: w2w direction fit LABELS.csv");
  }
  return open_labels(files, space, run);
}

/// Names the attributes and checks that there are labels for all of them.
void settle_attributes(DirectionFit& fit, bool debias, const Labels& labels, const Run& run) {
  if (fit.attributes.empty()) fit.attributes = usable_attributes(labels, run);
  if (debias) fit.without = fit.attributes;
  if (debias && fit.attributes.size() < 2) {
    throw Error(ErrorKind::usage,
                fmt::format("--debias expects several attributes, found only '{}'", fit.attributes.front()));
  }
  for (auto* names : {&fit.attributes, &fit.without}) {
    for (auto& name : *names) {
      name = named_attribute(name, labels.attributes(), labels.origin(), run).name;
      labels.column(name);
    }
  }
}

/// An attribute that was asked for by name must be tested; of all others it is said that they are not.
void check_scores(const HeldOut& test, const DirectionFit& fit, bool named, const Run& run) {
  std::vector<std::string> untested, by_chance;
  for (size_t i = 0; i < test.scores.size(); ++i) {
    const auto& score = test.scores[i];
    if (!score) untested.push_back(fit.attributes[i]);
    if (score && is_chance(*score))
      by_chance.push_back(fmt::format("{} (AUC {:.2f})", fit.attributes[i], score->auc));
  }
  if (!by_chance.empty()) {
    run.warn(fmt::format(
        "held-out models are told apart no better than by chance by {}: such labels may have nothing "
        "to do with the models",
        first_names(by_chance)));
  }
  if (untested.empty()) return;
  const auto what = fmt::format(
      "too few models with or without {} to hold out a share of {:g} and have both kinds in it "
      "(seed {})",
      first_names(untested), test.holdout.share, test.holdout.seed);
  if (named) throw Error(ErrorKind::failure, what, "another --seed or --holdout, or --holdout 0 for no test");
  run.warn(what + ": no accuracy");
}

std::optional<HeldOut> test(const DirectionOptions& options, const Space& space, const Labels& labels,
                            const DirectionFit& fit, const Run& run) {
  const Holdout holdout{options.holdout.value_or(Holdout{}.share), options.seed.value_or(Holdout{}.seed)};
  if (holdout.share == 0) return std::nullopt;
  auto result = held_out_scores(space, labels, fit, holdout, run);
  check_scores(result, fit, !options.names.empty(), run);
  return result;
}

}  // namespace

void run_direction_fit(const DirectionOptions& options, Reporter& reporter) {
  auto fit = typed_fit(options);
  const auto& run = reporter.run();
  const auto space = Space::open(locate_space(options.shared.space, run), nullptr, run);
  const auto labels = labels_of(options, space, run);
  fit.components = direction_components(options.attributes.components, space, run);
  settle_attributes(fit, options.debias, labels, run);
  const auto path = plan_outputs(options.shared.output, {{"directions", "directions", ".safetensors"}},
                                 options.shared.existing(), run)
                        .front();
  const auto held_out = test(options, space, labels, fit, run);
  auto directions = fit_directions(space, labels, fit, run);
  directions.held_out = held_out;
  const bool left = options.shared.leaves(path);
  if (!left) write_directions(path, directions);
  reporter.field("held_out", held_out_json(held_out));
  show_attributes(directions, space, reporter, &Reporter::remark);
  show_cosines(directions, reporter);
  reporter.field("source", labels.origin());
  reporter.field("components", fit.components);
  reporter.field("method", directions.method);
  reporter.field("penalty", directions.penalty ? Json(*directions.penalty) : Json());
  reporter.field("without", directions.without);
  if (!left) reporter.output(path.path, "directions");
}

}  // namespace w2w::cli
