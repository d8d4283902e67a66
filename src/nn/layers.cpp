#include "w2w/nn/layers.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/silu.h>

#include "w2w/device/accelerator.h"

namespace w2w::nn {

Tensor LowRankBranch::operator()(const Tensor& x) const {
  if (down.dim() == 2) return at::linear(at::linear(x, down), up);
  const auto parts = x.reshape({down.size(0), -1, x.size(-1)});
  auto sizes = x.sizes().vec();
  sizes.back() = up.size(1);
  return at::bmm(at::bmm(parts, down.transpose(1, 2)), up.transpose(1, 2)).view(sizes);
}

Linear::Linear(const Scope& scope, int64_t in, int64_t out, bool with_bias)
    : weight(scope.take("weight", {out, in})),
      bias(with_bias ? scope.take("bias", {out}) : Tensor()),
      branch(scope.branch()) {}

Tensor Linear::operator()(const Tensor& x) const {
  auto* device = accelerator_of(x);
  auto y = device ? device->linear(x, weight, bias, {}) : at::linear(x, weight, bias);
  if (branch->down.defined()) y.add_((*branch)(x), branch->scale);
  return y;
}

Tensor Linear::plus(const Tensor& addend, const Tensor& x) const {
  auto* device = accelerator_of(x);
  if (!device) return (*this)(x).add_(addend);
  auto y = device->linear(x, weight, bias, addend);
  if (branch->down.defined()) y.add_((*branch)(x), branch->scale);
  return y;
}

Tensor join_rows(const std::vector<Tensor>& weights) {
  const auto all = at::cat(weights);
  int64_t row = 0;
  for (const auto& weight : weights) {
    const int64_t rows = weight.size(0);
    weight.set_data(all.narrow(0, row, rows));
    row += rows;
  }
  return all;
}

Conv2d::Conv2d(const Scope& scope, int64_t in, int64_t out, int64_t kernel, int64_t stride_, int64_t padding_)
    : weight(scope.take("weight", {out, in, kernel, kernel})),
      bias(scope.take("bias", {out})),
      stride(stride_),
      padding(padding_) {}

Tensor Conv2d::operator()(const Tensor& x) const {
  if (auto* device = accelerator_of(x)) return device->convolution(x, weight, bias, {}, stride, padding);
  return at::conv2d(x, weight, bias, {stride, stride}, {padding, padding});
}

Tensor Conv2d::plus(const Tensor& addend, const Tensor& x) const {
  if (auto* device = accelerator_of(x)) return device->convolution(x, weight, bias, addend, stride, padding);
  return addend + (*this)(x);
}

GroupNorm::GroupNorm(const Scope& scope, int64_t groups_, int64_t channels, double eps_)
    : weight(scope.take("weight", {channels})),
      bias(scope.take("bias", {channels})),
      groups(groups_),
      eps(eps_) {}

Tensor GroupNorm::operator()(const Tensor& x) const {
  if (auto* device = accelerator_of(x)) return device->group_norm(x, {}, groups, weight, bias, eps, false);
  return at::group_norm(x, groups, weight, bias, eps);
}

Tensor GroupNorm::silu(const Tensor& x) const {
  if (auto* device = accelerator_of(x)) return device->group_norm(x, {}, groups, weight, bias, eps, true);
  return at::silu(at::group_norm(x, groups, weight, bias, eps));
}

Tensor GroupNorm::silu_after(const Conv2d& conv, const Tensor& shift, const Tensor& x) const {
  auto* device = accelerator_of(x);
  if (!device || shift.requires_grad()) {
    return silu(shift.defined() ? shift.unsqueeze(-1).unsqueeze(-1) + conv(x) : conv(x));
  }
  const auto product = device->convolution(x, conv.weight, {}, {}, conv.stride, conv.padding);
  return device->group_norm(product, {conv.bias, shift}, groups, weight, bias, eps, true);
}

LayerNorm::LayerNorm(const Scope& scope, int64_t width, double eps_)
    : weight(scope.take("weight", {width})), bias(scope.take("bias", {width})), eps(eps_) {}

Tensor LayerNorm::operator()(const Tensor& x) const {
  if (auto* device = accelerator_of(x)) return device->layer_norm(x, weight, bias, eps);
  return at::layer_norm(x, weight.sizes(), weight, bias, eps);
}

}  // namespace w2w::nn
