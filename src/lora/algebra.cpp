#include "w2w/lora/algebra.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/mm.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <tuple>

#include "w2w/base/error.h"

namespace w2w {
namespace {

at::Tensor f32(const at::Tensor& tensor) { return tensor.to(at::kFloat); }

/// up @ down = left @ diag(singular) @ right, with as many singular values as the rank.
struct ThinSvd {
  at::Tensor left, singular, right;
};

ThinSvd thin_svd(const Factors& factors) {
  const auto [q_up, r_up] = at::linalg_qr(factors.up.to(at::kDouble));
  const auto [q_down, r_down] = at::linalg_qr(factors.down.to(at::kDouble).t());
  const auto [u, s, v] = at::linalg_svd(r_up.mm(r_down.t()), /*full_matrices=*/false);
  return {q_up.mm(u), s, v.mm(q_down.t())};
}

}  // namespace

at::Tensor delta(const Factors& factors) { return (f32(factors.up) * factors.scale).mm(f32(factors.down)); }

double inner_product(const Factors& a, const Factors& b) {
  const auto ups = a.up.to(at::kDouble).t().mm(b.up.to(at::kDouble));
  const auto downs = a.down.to(at::kDouble).mm(b.down.to(at::kDouble).t());
  return (ups * downs).sum().item<double>() * a.scale * b.scale;
}

void bake(at::Tensor& weight, const at::Tensor& base, const Factors& factors) {
  const std::vector<int64_t> expected = {factors.up.size(0), factors.down.size(1)};
  if (weight.sizes() != base.sizes() || base.sizes() != at::IntArrayRef(expected)) {
    throw Error(ErrorKind::failure,
                fmt::format("a low-rank change of a [{}] matrix does not fit a weight [{}] with base [{}]",
                            fmt::join(expected, ", "), fmt::join(weight.sizes(), ", "),
                            fmt::join(base.sizes(), ", ")));
  }
  const auto up = factors.up.to(base.device(), at::kFloat), down = factors.down.to(base.device(), at::kFloat);
  if (weight.scalar_type() == at::kFloat && base.scalar_type() == at::kFloat) {
    if (factors.rank() == 1) {
      at::addcmul_out(weight, base, up, down, factors.scale);  // one pass over memory, where addmm takes two
    } else {
      at::addmm_out(weight, base, up, down, 1, factors.scale);
    }
  } else {
    weight.copy_(at::addmm(f32(base), up, down, 1, factors.scale));
  }
}

Factors best_rank_one(const Factors& factors) {
  if (factors.rank() == 1) return factors;
  const auto svd = thin_svd(factors);
  auto down = svd.right[0], up = svd.left.select(1, 0);
  const auto largest = down[down.abs().argmax().item<int64_t>()].item<double>();
  const auto size = svd.singular[0].item<double>() * factors.scale;
  const double half = std::sqrt(std::abs(size));
  down = down * (largest < 0 ? -half : half);
  up = up * ((largest < 0) != (size < 0) ? -half : half);
  return {f32(down).unsqueeze(0), f32(up).unsqueeze(1), 1.0};
}

Lora blend(const std::vector<WeightedLora>& parts) {
  std::map<std::string, std::pair<std::vector<at::Tensor>, std::vector<at::Tensor>>> pieces;
  for (const auto& part : parts) {
    for (const auto& [module, factors] : part.lora) {
      auto& [downs, ups] = pieces[module];
      downs.push_back(f32(factors.down));
      ups.push_back(f32(factors.up) * (factors.scale * part.weight));
    }
  }
  Lora sum;
  for (const auto& [module, piece] : pieces) {
    sum[module] = {at::cat(piece.first, 0), at::cat(piece.second, 1), 1.0};
  }
  return sum;
}

Lora folded(const Lora& lora) { return blend({{lora, 1.0}}); }

}  // namespace w2w
