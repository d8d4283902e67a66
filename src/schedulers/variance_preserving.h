#pragma once
// A noise level sigma as the solvers in log-SNR see it: x = alpha x0 + spread n with alpha^2 + spread^2 = 1.

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

#include <cmath>
#include <string>

namespace w2w {

struct Level {
  explicit Level(float sigma)
      : alpha(1 / std::sqrt(sigma * sigma + 1)),
        spread(sigma * alpha),
        lambda(std::log(alpha) - std::log(spread)) {}

  float alpha;
  float spread;
  float lambda;  ///< log(alpha / spread), half the log-SNR; infinite at zero noise

  /// x0 that the model output means.
  at::Tensor denoised(const std::string& prediction_type, const at::Tensor& model_output,
                      const at::Tensor& sample) const {
    if (prediction_type == "epsilon") return (sample - spread * model_output) / alpha;
    return prediction_type == "sample" ? model_output : alpha * sample - spread * model_output;
  }
};

}  // namespace w2w
