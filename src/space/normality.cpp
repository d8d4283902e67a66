#include "w2w/space/normality.h"

#include <ATen/TensorOperators.h>

#include <cmath>
#include <limits>

namespace w2w {
namespace {

/// The skewness of n normal values as a standard normal one (D'Agostino 1970).
double skewness_score(double skewness, double n) {
  const double y = skewness * std::sqrt((n + 1) * (n + 3) / (6 * (n - 2)));
  const double beta = 3 * (n * n + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9));
  const double w = std::sqrt(2 * (beta - 1)) - 1;
  return std::asinh(y / std::sqrt(2 / (w - 1))) / std::sqrt(0.5 * std::log(w));
}

/// Their kurtosis likewise (Anscombe and Glynn 1983).
double kurtosis_score(double excess, double n) {
  const double mean = 3 * (n - 1) / (n + 1);
  const double variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) * (n + 1) * (n + 3) * (n + 5));
  const double x = (excess + 3 - mean) / std::sqrt(variance);
  const double beta = 6 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9)) *
                      std::sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)));
  const double a = 6 + 8 / beta * (2 / beta + std::sqrt(1 + 4 / (beta * beta)));
  const double root = std::cbrt((1 - 2 / a) / (1 + x * std::sqrt(2 / (a - 4))));
  return (1 - 2 / (9 * a) - root) / std::sqrt(2 / (9 * a));
}

}  // namespace

Normality normality(const at::Tensor& values) {
  const auto x = values.to(at::kDouble);
  const auto centred = x - x.mean();
  const auto moment = [&](int power) { return centred.pow(power).mean().item<double>(); };
  const double m2 = moment(2), n = static_cast<double>(values.numel());
  Normality result;
  if (m2 > 0) {
    result.skewness = moment(3) / std::pow(m2, 1.5);
    result.kurtosis = moment(4) / (m2 * m2) - 3;
  }
  if (n < 8) {
    result.k2 = result.p = std::numeric_limits<double>::quiet_NaN();
    return result;
  }
  const double skewness = skewness_score(result.skewness, n), kurtosis = kurtosis_score(result.kurtosis, n);
  result.k2 = skewness * skewness + kurtosis * kurtosis;
  result.p = std::exp(-result.k2 / 2);
  return result;
}

}  // namespace w2w
