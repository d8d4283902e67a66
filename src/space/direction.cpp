#include "w2w/space/direction.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_lstsq.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "space/least_squares.h"
#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"
#include "w2w/io/tensor_file.h"

namespace w2w {
namespace {

void check_components(const Space& space, int64_t k) {
  const int64_t most = std::min(space.components(), space.data().projections.size(1));
  if (k < 1 || k > most) {
    throw Error(ErrorKind::usage,
                fmt::format("expected 1 to {} components for a direction, as many as the space ({}) has "
                            "projections for, found {}",
                            most, space.origin(), k));
  }
}

/// [k, m] of each label's least squares. Attributes whose labels are known for the same models share the
/// passes over the projections.
at::Tensor solve(const at::Tensor& projections, const at::Tensor& labels) {
  const int64_t attributes = labels.size(1);
  std::vector<at::Tensor> solutions(static_cast<size_t>(attributes));
  for (int64_t a = 0; a < attributes; ++a) {
    if (solutions[static_cast<size_t>(a)].defined()) continue;
    const auto unknown = labels.select(1, a).isnan();
    std::vector<int64_t> group;
    for (int64_t b = a; b < attributes; ++b) {
      if (labels.select(1, b).isnan().equal(unknown)) group.push_back(b);
    }
    const auto right = labels.index_select(1, at::tensor(group, at::kLong));
    const auto solved = least_squares(projections, unknown.logical_not(), right.nan_to_num());
    for (size_t i = 0; i < group.size(); ++i)
      solutions[static_cast<size_t>(group[i])] = solved.select(1, static_cast<int64_t>(i));
  }
  return at::stack(solutions, 1);
}

}  // namespace

int64_t Directions::index(const std::string& attribute) const {
  const auto found = std::find(attributes.begin(), attributes.end(), attribute);
  if (found != attributes.end()) return found - attributes.begin();
  throw Error(ErrorKind::usage, fmt::format("unknown attribute '{}'", attribute),
              suggest(attribute, attributes));
}

double Directions::deviation(int64_t attribute) const {
  const double variance = covariance[attribute][attribute].item<double>();
  return std::sqrt(variance) / vectors[attribute].norm().item<double>();
}

Directions fit_directions(const Space& space, const Labels& labels,
                          const std::vector<std::string>& attributes, int64_t k) {
  check_components(space, k);
  const auto projections = space.data().projections.narrow(1, 0, k);
  std::vector<at::Tensor> columns, counts;
  for (const auto& attribute : attributes) {
    columns.push_back(labels.column(attribute).to(at::kDouble));
    counts.push_back(at::stack({columns.back().eq(1).sum(), columns.back().eq(-1).sum()}));
  }
  Directions result;
  result.attributes = attributes;
  result.space_hash = space.hash();
  result.vectors = solve(projections, at::stack(columns, 1)).t().contiguous();
  result.counts = at::stack(counts);
  const auto answers = product(projections, result.vectors.t());  // [n, m]
  const auto centred = answers - answers.mean(0);
  result.covariance = at::mm(centred.t(), centred) / static_cast<double>(answers.size(0) - 1);
  result.largest = answers.amax(0) / result.vectors.norm(2, 1);
  if (space.data().projections.is_contiguous()) release_pages(space.data().projections);
  return result;
}

EditDirection edit_direction(const Directions& directions, const std::string& attribute,
                             const std::vector<std::string>& without, Debias debias) {
  const int64_t own = directions.index(attribute), count = directions.vectors.size(0);
  // The result as a combination of all directions: one for the attribute, less some of the others.
  auto weights = at::zeros({count}, at::kDouble);
  weights[own] = 1;
  std::vector<int64_t> others;
  for (const auto& name : without) {
    others.push_back(directions.index(name));
    if (others.back() == own) {
      throw Error(ErrorKind::usage, fmt::format("'{}' cannot be edited without itself", attribute));
    }
  }
  if (debias == Debias::joint && !others.empty()) {
    const auto index = at::tensor(others, at::kLong);
    const auto span = directions.vectors.index_select(0, index).t();  // [k, others]
    const auto part = std::get<0>(at::linalg_lstsq(span, directions.vectors[own].unsqueeze(1), {}, "gelsd"));
    weights.index_add_(0, index, part.squeeze(1), -1);
  } else {
    for (const int64_t other : others) {
      const auto& direction = directions.vectors[other];
      const auto current = directions.vectors.t().mv(weights);
      weights[other] -= current.dot(direction) / direction.dot(direction);
    }
  }
  EditDirection result{directions.vectors.t().mv(weights), 0};
  const double length = result.vector.norm().item<double>();
  if (length <= 1e-6 * directions.vectors[own].norm().item<double>()) {
    throw Error(ErrorKind::failure,
                fmt::format("nothing of '{}' is left without {}", attribute, fmt::join(without, ", ")),
                "name fewer attributes in --without");
  }
  const double variance = weights.dot(directions.covariance.mv(weights)).item<double>();
  result.deviation = std::sqrt(std::max(0.0, variance)) / length;
  return result;
}

at::Tensor EditDirection::step(double strength, bool raw) const {
  if (raw) return strength * vector;
  return strength * deviation / vector.norm().item<double>() * vector;
}

at::Tensor edited(const at::Tensor& coefficients, const at::Tensor& step) {
  const int64_t length = std::max(coefficients.numel(), step.numel());
  const auto filled = [&](const at::Tensor& values) {
    return at::constant_pad_nd(values.to(at::kDouble), {0, length - values.numel()});
  };
  return (filled(coefficients) + filled(step)).to(at::kFloat);
}

}  // namespace w2w
