#include "w2w/nn/adam.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

namespace w2w::nn {

at::Tensor adam_rates(int64_t step, const AdamOptions& options) {
  const auto count = static_cast<double>(step);
  const double decay = options.decoupled ? options.weight_decay : 0;
  return at::tensor(
      {1 - options.learning_rate * decay, options.learning_rate / (1 - std::pow(options.beta1, count)),
       std::sqrt(1 - std::pow(options.beta2, count))},
      at::kFloat);
}

void Adam::step(at::Tensor& parameter, const at::Tensor& gradient, const AdamOptions& options) {
  if (steps == 0) {
    first_moment = at::zeros_like(parameter);
    second_moment = at::zeros_like(parameter);
  }
  ++steps;
  step(parameter, gradient, adam_rates(steps, options).to(parameter.device()), options);
}

void Adam::step(at::Tensor& parameter, const at::Tensor& gradient, const at::Tensor& rates,
                const AdamOptions& options) {
  const auto left = rates[0], length = rates[1], correction = rates[2];
  if (options.decoupled) parameter.mul_(left);
  const bool added = options.weight_decay != 0 && !options.decoupled;
  const auto g = added ? gradient.add(parameter, options.weight_decay) : gradient;
  first_moment.lerp_(g, 1 - options.beta1);
  second_moment.mul_(options.beta2).addcmul_(g, g, 1 - options.beta2);
  parameter.sub_(first_moment / (second_moment.sqrt() / correction).add_(options.eps) * length);
}

}  // namespace w2w::nn
