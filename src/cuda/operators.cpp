#include "operators.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/csrc/autograd/custom_function.h>

#include "geglu.h"
#include "group_norm.h"

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

Tensor channels_last(const Tensor& x) {
  return x.contiguous(x.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
}

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

Tensor geglu(const Tensor& x) { return GegluFunction::apply(x); }

}  // namespace w2w::cuda
