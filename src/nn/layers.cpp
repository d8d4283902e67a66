#include "w2w/nn/layers.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/silu.h>

#include "w2w/base/accelerator.h"

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
  auto y = at::linear(x, weight, bias);
  if (branch->down.defined()) y.add_((*branch)(x), branch->scale);
  return y;
}

Conv2d::Conv2d(const Scope& scope, int64_t in, int64_t out, int64_t kernel, int64_t stride_, int64_t padding_)
    : weight(scope.take("weight", {out, in, kernel, kernel})),
      bias(scope.take("bias", {out})),
      stride(stride_),
      padding(padding_) {}

Tensor Conv2d::operator()(const Tensor& x) const {
  if (x.is_cuda() && weight.size(2) == 1) {  // a product of matrices, which adds the bias by itself
    return at::linear(x.permute({0, 2, 3, 1}), weight.flatten(1), bias).permute({0, 3, 1, 2});
  }
  return at::conv2d(x, weight, bias, {stride, stride}, {padding, padding});
}

Tensor Conv2d::plus(const Tensor& addend, const Tensor& x) const {
  if (x.is_cuda()) {
    const auto product = at::conv2d(x, weight, {}, {stride, stride}, {padding, padding});
    return accelerator()->add_bias(product, bias, addend);
  }
  return (addend.dim() == 2 ? addend.unsqueeze(-1).unsqueeze(-1) : addend) + (*this)(x);
}

GroupNorm::GroupNorm(const Scope& scope, int64_t groups_, int64_t channels, double eps_)
    : weight(scope.take("weight", {channels})),
      bias(scope.take("bias", {channels})),
      groups(groups_),
      eps(eps_) {}

Tensor GroupNorm::operator()(const Tensor& x) const {
  if (x.is_cuda()) return accelerator()->group_norm(x, groups, weight, bias, eps, false);
  return at::group_norm(x, groups, weight, bias, eps);
}

Tensor GroupNorm::silu(const Tensor& x) const {
  if (x.is_cuda()) return accelerator()->group_norm(x, groups, weight, bias, eps, true);
  return at::silu(at::group_norm(x, groups, weight, bias, eps));
}

LayerNorm::LayerNorm(const Scope& scope, int64_t width, double eps_)
    : weight(scope.take("weight", {width})), bias(scope.take("bias", {width})), eps(eps_) {}

Tensor LayerNorm::after_adding(const Tensor& addend, Tensor& x) const {
  if (x.is_cuda()) return accelerator()->layer_norm(x, addend, weight, bias, eps, &x);
  x = x + addend;
  return (*this)(x);
}

Tensor LayerNorm::operator()(const Tensor& x) const {
  if (x.is_cuda()) return accelerator()->layer_norm(x, {}, weight, bias, eps, nullptr);
  return at::layer_norm(x, weight.sizes(), weight, bias, eps);
}

}  // namespace w2w::nn
