#include "operators.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/layer_norm.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/csrc/autograd/custom_function.h>

#include "add_bias.h"
#include "geglu.h"
#include "group_norm.h"
#include "layer_norm.h"

namespace w2w::cuda {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Element element_of(const Tensor& x) {
  switch (x.scalar_type()) {
    case at::kFloat:
      return Element::f32;
    case at::kHalf:
      return Element::f16;
    case at::kBFloat16:
      return Element::bf16;
    default:
      TORCH_CHECK(false, "no kernel for ", x.scalar_type());
  }
}

cudaStream_t stream() { return c10::cuda::getCurrentCUDAStream(); }

Tensor channels_last(const Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }

GroupNormShape shape_of(const Tensor& x, int64_t groups, double eps) {
  return {x.size(0), x.numel() / (x.size(0) * x.size(1)), x.size(1), groups, static_cast<float>(eps)};
}

Tensor floats(at::IntArrayRef sizes, const Tensor& like) {
  return at::empty(sizes, like.options().dtype(at::kFloat));
}

Tensor workspace(const GroupNormShape& shape, const Tensor& like) {
  return floats({static_cast<int64_t>(group_norm_workspace(shape))}, like);
}

struct GroupNormFunction : torch::autograd::Function<GroupNormFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& given, int64_t groups, const Tensor& weight,
                        const Tensor& bias, double eps, bool silu) {
    TORCH_CHECK(given.dim() == 4, "group norm of ", given.dim(), " dimensions, expected 4");
    const auto x = channels_last(given);
    const auto shape = shape_of(x, groups, eps);
    auto y = at::empty_like(x);
    const auto mean = floats({shape.batch, groups}, x), rstd = at::empty_like(mean);
    const auto scratch = workspace(shape, x);
    C10_CUDA_CHECK(group_norm(shape, x.const_data_ptr(), weight.const_data_ptr(), bias.const_data_ptr(),
                              y.data_ptr(), mean.data_ptr<float>(), rstd.data_ptr<float>(),
                              scratch.data_ptr<float>(), silu, element_of(x), stream()));
    context->save_for_backward({x, weight, bias, mean, rstd});
    context->saved_data["groups"] = groups;
    context->saved_data["eps"] = eps;
    context->saved_data["silu"] = silu;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &bias = saved[2], &mean = saved[3], &rstd = saved[4];
    const auto shape =
        shape_of(x, context->saved_data["groups"].toInt(), context->saved_data["eps"].toDouble());
    const auto dy = channels_last(gradients[0]);
    auto dx = at::empty_like(x);
    const auto scratch = workspace(shape, x);
    C10_CUDA_CHECK(group_norm_backward(
        shape, dy.const_data_ptr(), x.const_data_ptr(), weight.const_data_ptr(), bias.const_data_ptr(),
        mean.const_data_ptr<float>(), rstd.const_data_ptr<float>(), dx.data_ptr(), scratch.data_ptr<float>(),
        context->saved_data["silu"].toBool(), element_of(x), stream()));
    return {dx, Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

struct AddBiasFunction : torch::autograd::Function<AddBiasFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& given, const Tensor& bias,
                        const Tensor& addend) {
    const auto x = channels_last(given);
    const bool residual = addend.dim() == 4;
    const auto added = residual ? channels_last(addend) : addend.contiguous();
    const int64_t pixels = x.numel() / x.size(1);
    auto y = at::empty_like(x);
    C10_CUDA_CHECK(add_bias(pixels, x.size(1), residual ? 1 : pixels / addend.size(0), x.const_data_ptr(),
                            bias.const_data_ptr(), added.const_data_ptr(), y.data_ptr(), element_of(x),
                            stream()));
    context->saved_data["residual"] = residual;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {gradients[0], Tensor(), context->saved_data["residual"].toBool() ? gradients[0] : Tensor()};
  }
};

struct LayerNormFunction : torch::autograd::Function<LayerNormFunction> {
  /// {norm, sum}; without `added`, {norm} of x, and `addend` only stands in the place that must not be empty.
  static variable_list forward(AutogradContext* context, const Tensor& given, const Tensor& addend,
                               const Tensor& weight, const Tensor& bias, double eps, bool added) {
    const auto x = given.contiguous(), more = addend.contiguous();
    const int64_t width = x.size(-1), rows = x.numel() / width;
    const auto sum = added ? at::empty_like(x) : x;
    auto y = at::empty_like(x);
    const auto mean = floats({rows}, x), rstd = at::empty_like(mean);
    C10_CUDA_CHECK(layer_norm(rows, width, static_cast<float>(eps), x.const_data_ptr(),
                              added ? more.const_data_ptr() : nullptr, weight.const_data_ptr(),
                              bias.const_data_ptr(), added ? sum.data_ptr() : nullptr, y.data_ptr(),
                              mean.data_ptr<float>(), rstd.data_ptr<float>(), element_of(x), stream()));
    context->save_for_backward({sum, weight, mean, rstd});
    context->saved_data["added"] = added;
    return added ? variable_list{y, sum} : variable_list{y};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto &sum = saved[0], &weight = saved[1], &mean = saved[2], &rstd = saved[3];
    const bool added = context->saved_data["added"].toBool();
    const auto dy = gradients[0].contiguous();
    const auto dsum = added ? gradients[1].contiguous() : dy;
    auto dx = at::empty_like(sum);
    const int64_t width = sum.size(-1);
    C10_CUDA_CHECK(layer_norm_backward(
        sum.numel() / width, width, dy.const_data_ptr(), added ? dsum.const_data_ptr() : nullptr,
        sum.const_data_ptr(), weight.const_data_ptr(), mean.const_data_ptr<float>(),
        rstd.const_data_ptr<float>(), dx.data_ptr(), element_of(sum), stream()));
    return {dx, added ? dx : Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

struct GegluFunction : torch::autograd::Function<GegluFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& given) {
    const auto x = given.contiguous();
    const int64_t width = x.size(-1) / 2;
    auto sizes = x.sizes().vec();
    sizes.back() = width;
    auto y = at::empty(sizes, x.options());
    C10_CUDA_CHECK(
        geglu(y.numel() / width, width, x.const_data_ptr(), y.data_ptr(), element_of(x), stream()));
    context->save_for_backward({x});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto x = context->get_saved_variables()[0];
    const int64_t width = x.size(-1) / 2;
    const auto dy = gradients[0].contiguous();
    auto dx = at::empty_like(x);
    C10_CUDA_CHECK(geglu_backward(dy.numel() / width, width, x.const_data_ptr(), dy.const_data_ptr(),
                                  dx.data_ptr(), element_of(x), stream()));
    return {dx};
  }
};

}  // namespace

Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias, double eps,
                  bool silu) {
  return GroupNormFunction::apply(x, groups, weight, bias, eps, silu);
}

Tensor add_bias(const Tensor& x, const Tensor& bias, const Tensor& addend) {
  return AddBiasFunction::apply(x, bias, addend);
}

Tensor layer_norm(const Tensor& x, const Tensor& addend, const Tensor& weight, const Tensor& bias, double eps,
                  Tensor* sum) {
  if (!layer_norm_takes(x.size(-1), element_of(x))) {
    const auto whole = addend.defined() ? x + addend : x;
    if (sum) *sum = whole;
    return at::layer_norm(whole, weight.sizes(), weight, bias, eps);
  }
  const auto made =
      LayerNormFunction::apply(x, addend.defined() ? addend : x, weight, bias, eps, addend.defined());
  if (sum) *sum = addend.defined() ? made[1] : x;
  return made[0];
}

Tensor geglu(const Tensor& x) { return GegluFunction::apply(x); }

}  // namespace w2w::cuda
