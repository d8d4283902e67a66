#include "w2w/space/directions/direction_fit.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/stack.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "space/directions/classifiers.h"
#include "space/directions/label_matrix.h"
#include "space/directions/row_blocks.h"
#include "w2w/base/error.h"
#include "w2w/base/run.h"
#include "w2w/io/tensor_file.h"

namespace w2w {
namespace {

const std::string& name_of(DirectionMethod method) {
  return direction_methods()[static_cast<size_t>(method)];
}

void check_components(const Space& space, int64_t k) {
  const int64_t most = std::min(space.components(), space.data().projections.size(1));
  if (k < 1 || k > most) {
    throw Error(ErrorKind::usage,
                fmt::format("expected 1 to {} components for a direction, as many as the space ({}) has "
                            "projections for, found {}",
                            most, space.origin(), k));
  }
}

void check_penalty(const DirectionFit& fit) {
  if (!fit.penalty) return;
  const auto& name = name_of(fit.method);
  if (!default_penalty(fit.method)) {
    throw Error(ErrorKind::usage, fmt::format("the method {} has no penalty, found {}", name, *fit.penalty));
  }
  const bool above = fit.method == DirectionMethod::logistic;  // separable groups have no finite solution
  if (!std::isfinite(*fit.penalty) || *fit.penalty < 0 || (above && *fit.penalty == 0)) {
    throw Error(ErrorKind::usage, fmt::format("the penalty of {} expects a number {} 0, found {}", name,
                                              above ? "above" : "from", *fit.penalty));
  }
}

void check_names(const std::vector<std::string>& names, const char* what) {
  if (names.empty()) throw Error(ErrorKind::usage, fmt::format("expected {}, found none", what));
  auto sorted = names;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    throw Error(ErrorKind::usage, fmt::format("attribute '{}' is named twice", *twice));
  }
}

/// `fit.attributes`, then those of `fit.without` that are not among them.
std::vector<std::string> all_names(const DirectionFit& fit) {
  auto names = fit.attributes;
  for (const auto& name : fit.without) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

/// f64 [m, k]: of each vector what no attribute of `without` but its own has a part in.
at::Tensor debiased(const Directions& fitted, const DirectionFit& fit) {
  std::vector<at::Tensor> vectors;
  for (const auto& attribute : fit.attributes) {
    auto others = fit.without;
    std::erase(others, attribute);
    vectors.push_back(edit_direction(fitted, attribute, others).vector);
  }
  return at::stack(vectors);
}

/// Everything that follows from vectors and projections.
void measure(Directions& directions, const at::Tensor& projections, const Run& run) {
  const auto answers = product(projections, directions.vectors.t(), run);  // [n, m]
  const auto centred = answers - answers.mean(0);
  directions.covariance = at::mm(centred.t(), centred) / static_cast<double>(answers.size(0) - 1);
  const auto lengths = directions.vectors.norm(2, 1);
  directions.largest = answers.amax(0) / lengths;
  directions.smallest = answers.amin(0) / lengths;
}

void check_vectors(const Directions& directions) {
  for (size_t a = 0; a < directions.attributes.size(); ++a) {
    if (directions.vectors[static_cast<int64_t>(a)].norm().item<double>() > 0) continue;
    throw Error(
        ErrorKind::failure,
        fmt::format("attribute '{}' has no direction: models with and without it do not differ along {} "
                    "component(s)",
                    directions.attributes[a], directions.components()));
  }
}

/// Names the first training model with a value that is no number.
void check_finite(const Space& space, int64_t k, const Run& run) {
  const auto& names = space.data().names;
  for_row_blocks(space.data().projections.narrow(1, 0, k), run, [&](const at::Tensor& block, int64_t first) {
    const auto bad = block.sum(1).isfinite().logical_not().nonzero();
    if (bad.numel() == 0) return;
    const auto row = static_cast<size_t>(first + bad[0].item<int64_t>());
    throw Error(
        ErrorKind::malformed,
        fmt::format("the projections of training model {} are not finite ({})",
                    names.empty() ? fmt::format("number {}", row) : "'" + names[row] + "'", space.origin()));
  });
}

void warn_of_few(const at::Tensor& labels, const DirectionFit& fit, const Run& run) {
  if (fit.method != DirectionMethod::lstsq) return;
  const auto fewest = labels.ne(0).sum(0).min().item<int64_t>();
  if (fewest > fit.components) return;
  run.warn(
      fmt::format("{} labelled models for {} components: least squares overfits the labels, including their "
                  "noise; use fewer components, or ridge regression",
                  fewest, fit.components));
}

}  // namespace

const std::vector<std::string>& direction_methods() {
  static const std::vector<std::string> names = {"lstsq", "mean-difference", "logistic", "ridge"};
  return names;
}

std::optional<double> default_penalty(DirectionMethod method) {
  if (method == DirectionMethod::ridge) return 0.1;
  if (method == DirectionMethod::logistic) return 0.01;
  return std::nullopt;
}

at::Tensor label_matrix(const Space& space, const Labels& labels, const DirectionFit& fit,
                        const std::vector<std::string>& names, const Run& run) {
  check_components(space, fit.components);
  check_penalty(fit);
  check_names(fit.attributes, "attributes to fit directions of");
  if (!fit.without.empty()) check_names(fit.without, "attributes to remove");
  check_finite(space, fit.components, run);
  std::vector<at::Tensor> columns;
  for (const auto& name : names) columns.push_back(labels.column(name).to(at::kDouble).nan_to_num());
  return at::stack(columns, 1);
}

Directions fit_directions(const Space& space, const Labels& labels, const DirectionFit& fit, const Run& run) {
  Directions result;
  result.attributes = all_names(fit);
  const auto matrix = label_matrix(space, labels, fit, result.attributes, run);
  warn_of_few(matrix, fit, run);
  const auto projections = space.data().projections.narrow(1, 0, fit.components);
  result.space_hash = space.hash();
  result.basis = space.basis();
  result.method = name_of(fit.method);
  result.penalty = fit.penalty ? fit.penalty : default_penalty(fit.method);
  result.vectors = classifier_normals(projections, matrix, fit, run).t().contiguous();
  result.counts = at::stack({matrix.eq(1).sum(0), matrix.eq(-1).sum(0)}, 1);
  check_vectors(result);
  measure(result, projections, run);
  if (!fit.without.empty()) {
    result.vectors = debiased(result, fit);
    result.attributes = fit.attributes;
    result.counts = result.counts.narrow(0, 0, result.vectors.size(0)).contiguous();
    result.without = fit.without;
    measure(result, projections, run);
  }
  if (space.data().projections.is_contiguous()) release_pages(space.data().projections);
  return result;
}

at::Tensor cosines(const Directions& directions) {
  const auto units = directions.vectors / directions.vectors.norm(2, 1, true);
  return at::mm(units, units.t());
}

}  // namespace w2w
