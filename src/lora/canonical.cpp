#include "w2w/lora/canonical.h"

#include <ATen/TensorOperators.h>

#include <cmath>

#include "w2w/lora/algebra.h"

namespace w2w {

Factors canonical(const Factors& factors, const at::Tensor& like) {
  const auto one = best_rank_one(factors);
  const auto down = one.down.to(at::kDouble), up = one.up.to(at::kDouble) * one.scale;
  const double down_size = down.norm().item<double>(), up_size = up.norm().item<double>();
  if (down_size == 0 || up_size == 0) return {(down * 0).to(at::kFloat), (up * 0).to(at::kFloat), 1.0};
  const auto flat = down.flatten();
  const double side = like.defined() ? flat.dot(like.to(at::kDouble).flatten()).item<double>()
                                     : flat[flat.abs().argmax().item<int64_t>()].item<double>();
  const double balance = (side < 0 ? -1 : 1) * std::sqrt(up_size / down_size);
  return {(down * balance).to(at::kFloat), (up / balance).to(at::kFloat), 1.0};
}

}  // namespace w2w
