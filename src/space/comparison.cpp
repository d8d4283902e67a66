#include "w2w/space/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "w2w/base/error.h"

namespace w2w {

double Comparison::distance_per_component() const {
  return distance / std::sqrt(static_cast<double>(components));
}

Comparer::Comparer(const Space& space)
    : mean_(space.projection_statistics().mean.to(at::kDouble).contiguous()),
      std_(space.projection_statistics().std.to(at::kDouble).contiguous()) {}

Comparison Comparer::operator()(const at::Tensor& a, const at::Tensor& b) const {
  Comparison result{.components = std::min({a.numel(), b.numel(), mean_.numel()})};
  const auto first = a.contiguous(), second = b.contiguous();
  const auto *x = first.const_data_ptr<float>(), *y = second.const_data_ptr<float>();
  const auto *mean = mean_.const_data_ptr<double>(), *std = std_.const_data_ptr<double>();
  double product = 0, x_squares = 0, y_squares = 0, squares = 0;
  for (int64_t j = 0; j < result.components; ++j) {
    const double dx = x[j] - mean[j], dy = y[j] - mean[j];
    product += dx * dy;
    x_squares += dx * dx;
    y_squares += dy * dy;
    if (std[j] > 0) squares += (dx - dy) / std[j] * ((dx - dy) / std[j]);  // else the models do not vary
  }
  result.distance = std::sqrt(squares);
  const auto compared = std_.narrow(0, 0, result.components);
  if (is_mean(std::sqrt(x_squares), compared) || is_mean(std::sqrt(y_squares), compared)) return result;
  result.cosine = std::clamp(product / std::sqrt(x_squares) / std::sqrt(y_squares), -1.0, 1.0);
  return result;
}

void refuse_mean_person(const std::string& name) {
  throw Error(
      ErrorKind::failure,
      fmt::format("{} is the mean person: without a deviation from the mean, cosine similarity is undefined",
                  name.empty() ? "this" : name));
}

bool is_mean(double deviation, const at::Tensor& std) {
  constexpr double rounding = 1e-6;
  return !(deviation > rounding * std.norm().item<double>());
}

}  // namespace w2w
