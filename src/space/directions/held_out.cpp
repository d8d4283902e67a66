#include <ATen/TensorOperators.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "space/directions/classifiers.h"
#include "space/directions/label_matrix.h"
#include "space/directions/row_blocks.h"
#include "w2w/base/error.h"
#include "w2w/base/generator.h"

namespace w2w {
namespace {

/// One attribute's answers by its labels (+1, -1, 0), both [models].
struct Groups {
  at::Tensor with, without;

  Groups(const at::Tensor& answers, const at::Tensor& labels)
      : with(answers.masked_select(labels.eq(1))), without(answers.masked_select(labels.eq(-1))) {}
};

/// The attributes that both groups have a model of in all of `parts`, [models, m] each.
std::vector<int64_t> complete_columns(const std::vector<at::Tensor>& parts) {
  std::vector<int64_t> columns;
  for (int64_t a = 0; a < parts.front().size(1); ++a) {
    const bool complete = std::all_of(parts.begin(), parts.end(), [&](const at::Tensor& labels) {
      const auto column = labels.select(1, a);
      return column.eq(1).any().item<bool>() && column.eq(-1).any().item<bool>();
    });
    if (complete) columns.push_back(a);
  }
  return columns;
}

/// Of all pairs of one with and one without the share in which the former answers more, ties half.
double area_under_curve(const Groups& groups) {
  const auto sorted = std::get<0>(groups.without.sort());
  const auto below = at::searchsorted(sorted, groups.with),
             up_to = at::searchsorted(sorted, groups.with, false, true);
  return (below + up_to).to(at::kDouble).mean().item<double>() / 2 / static_cast<double>(sorted.numel());
}

HeldOutScore score(const Groups& learned, const Groups& tested) {
  const auto middle = (learned.with.mean() + learned.without.mean()) / 2;
  const auto with = static_cast<double>(tested.with.numel());
  const auto without = static_cast<double>(tested.without.numel());
  const auto found = tested.with.gt(middle).sum().item<double>();
  const auto rejected = tested.without.le(middle).sum().item<double>();
  return {.models = tested.with.numel() + tested.without.numel(),
          .accuracy = (found + rejected) / (with + without),
          .balanced_accuracy = (found / with + rejected / without) / 2,
          .majority = std::max(with, without) / (with + without),
          .auc = area_under_curve(tested)};
}

}  // namespace

at::Tensor held_out_models(int64_t models, const Holdout& holdout) {
  if (!(holdout.share > 0 && holdout.share < 1)) {
    throw Error(ErrorKind::usage,
                fmt::format("expected a share between 0 and 1 to hold out, found {}", holdout.share));
  }
  const auto count = static_cast<int64_t>(std::floor(holdout.share * static_cast<double>(models) + 0.5));
  auto held_out = at::zeros({models}, at::kBool);
  held_out.index_fill_(0, Generator(holdout.seed).randperm(models).narrow(0, 0, count), true);
  return held_out;
}

HeldOut held_out_scores(const Space& space, const Labels& labels, const DirectionFit& fit,
                        const Holdout& holdout, const Run& run) {
  const auto matrix = label_matrix(space, labels, fit, fit.attributes, run);
  const auto projections = space.data().projections.narrow(1, 0, fit.components);
  const auto held_out = held_out_models(matrix.size(0), holdout).unsqueeze(1);
  HeldOut result{holdout, held_out.sum().item<int64_t>(), {}};
  const auto learned = matrix * held_out.logical_not(), tested = matrix * held_out;
  auto& scores = result.scores;
  scores.resize(fit.attributes.size());
  const auto columns = complete_columns({learned, tested});
  if (columns.empty()) return result;
  const auto learned_columns = learned.index_select(1, at::tensor(columns, at::kLong));
  const auto answers = product(projections, classifier_normals(projections, learned_columns, fit, run), run);
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto column = answers.select(1, static_cast<int64_t>(i));
    scores[static_cast<size_t>(columns[i])] =
        score({column, learned.select(1, columns[i])}, {column, tested.select(1, columns[i])});
  }
  return result;
}

bool is_chance(const HeldOutScore& score) {
  const auto models = static_cast<double>(score.models);
  const double larger = score.majority * models, smaller = models - larger;
  const double deviation = std::sqrt((models + 1) / (12 * larger * smaller));  // of the AUC of random answers
  return score.auc <= std::clamp(0.5 + 2 * deviation, 0.55, 0.75);
}

}  // namespace w2w
