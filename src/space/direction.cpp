#include "w2w/space/direction.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/linalg_lstsq.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"

namespace w2w {
namespace {

/// The directions to take out of `attribute`, as indices; those that were taken out when the directions were
/// fitted need no more.
std::vector<int64_t> indices_of_others(const Directions& directions, const std::string& attribute,
                                       const std::vector<std::string>& without) {
  std::vector<int64_t> others;
  for (const auto& name : without) {
    if (name == attribute) {
      throw Error(ErrorKind::usage, fmt::format("'{}' cannot be removed from itself", attribute));
    }
    if (directions.lacks(name)) continue;
    others.push_back(directions.index(name));
    if (directions.without.empty()) continue;
    // What is left of another direction is no classifier of it any more.
    throw Error(ErrorKind::usage,
                fmt::format("these directions were fitted with {} removed: '{}' cannot be removed as well",
                            fmt::join(directions.without, ", "), name),
                "fit directions with nothing removed, or with all of these in <without>");
  }
  return others;
}

}  // namespace

bool Directions::lacks(const std::string& attribute) const {
  return std::find(without.begin(), without.end(), attribute) != without.end();
}

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

std::optional<double> variance_share(const Directions& directions, int64_t attribute, const Space& space) {
  if (!space.data().projections.defined() && !space.data().projection_std.defined()) return std::nullopt;
  const auto total = space.projection_statistics().std.to(at::kDouble).square().sum().item<double>();
  const double own = directions.deviation(attribute);
  return own * own / total;
}

EditDirection edit_direction(const Directions& directions, const std::string& attribute,
                             const std::vector<std::string>& without, Debias debias) {
  const int64_t own = directions.index(attribute), count = directions.vectors.size(0);
  // The result as a combination of all directions: one for the attribute, less some of the others.
  auto weights = at::zeros({count}, at::kDouble);
  weights[own] = 1;
  const auto others = indices_of_others(directions, attribute, without);
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
    throw Error(
        ErrorKind::failure,
        fmt::format("nothing is left of '{}' when {} is removed", attribute, fmt::join(without, ", ")),
        "name fewer attributes in <without>");
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
