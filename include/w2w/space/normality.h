#pragma once
#include <ATen/core/Tensor.h>

namespace w2w {

/// How far a sample is from a normal distribution.
struct Normality {
  double skewness = 0;  ///< m3 / m2^(3/2)
  double kurtosis = 0;  ///< excess, m4 / m2^2 - 3
  double k2 = 0;        ///< D'Agostino and Pearson's statistic: about chi squared of 2 degrees of freedom
  double p = 1;         ///< of a k2 as large in a normal sample; NaN below 8 values
};

/// The same as scipy.stats.skew, kurtosis and normaltest. `values` [n] of any floating type.
Normality normality(const at::Tensor& values);

}  // namespace w2w
