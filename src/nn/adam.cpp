#include "w2w/nn/adam.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

namespace w2w::nn {

void Adam::step(at::Tensor& parameter, const at::Tensor& gradient, const AdamOptions& options) {
  if (steps == 0) {
    first_moment = at::zeros_like(parameter);
    second_moment = at::zeros_like(parameter);
  }
  ++steps;
  if (options.decoupled) parameter.mul_(1 - options.learning_rate * options.weight_decay);
  const bool added = options.weight_decay != 0 && !options.decoupled;
  const auto g = added ? gradient.add(parameter, options.weight_decay) : gradient;
  first_moment.lerp_(g, 1 - options.beta1);
  second_moment.mul_(options.beta2).addcmul_(g, g, 1 - options.beta2);
  const auto count = static_cast<double>(steps);
  const double step_size = options.learning_rate / (1 - std::pow(options.beta1, count));
  const double correction = std::sqrt(1 - std::pow(options.beta2, count));
  parameter.addcdiv_(first_moment, (second_moment.sqrt() / correction).add_(options.eps), -step_size);
}

}  // namespace w2w::nn
