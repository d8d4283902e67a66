#include "operators.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/upsample_nearest2d_backward.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/csrc/autograd/custom_function.h>

#include <array>

#include "add_bias.h"
#include "geglu.h"
#include "group_norm.h"
#include "layer_norm.h"
#include "linear.h"
#include "unfold.h"
#include "upsample.h"

namespace w2w::cuda {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Convolutions of so many results or fewer are products of matrices: cuDNN's kernels divide the work by
/// tiles of pixels, too few of them to fill a device. On an H100, two samples in bf16, that takes three
/// quarters of the time at 8 x 8 pixels, and at 16 x 16 between nine tenths and all of it.
constexpr int64_t few_pixels = 512;

/// A Function takes a tensor that may be missing as an optional only: an undefined one has no device.
using Optional = std::optional<Tensor>;

Optional optional(const Tensor& x) { return x.defined() ? Optional(x) : std::nullopt; }

Tensor undefined_or(const Optional& x) { return x.value_or(Tensor()); }

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

const void* data_of(const Tensor& x) { return x.defined() ? x.const_data_ptr() : nullptr; }

GroupNormShift shift_of(const Tensor& of_channels, const Tensor& of_samples) {
  return {data_of(of_channels), data_of(of_samples), of_samples.defined() && of_samples.size(0) == 1};
}

struct GroupNormFunction : torch::autograd::Function<GroupNormFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& given, const Optional& channels,
                        const Optional& samples, int64_t groups, const Tensor& weight, const Tensor& bias,
                        double eps, bool silu) {
    const auto of_channels = undefined_or(channels), of_samples = undefined_or(samples);
    TORCH_CHECK(given.dim() == 4, "group norm of ", given.dim(), " dimensions, expected 4");
    const auto x = channels_last(given);
    const auto shape = shape_of(x, groups, eps);
    auto y = at::empty_like(x);
    const auto mean = floats({shape.batch, groups}, x), rstd = at::empty_like(mean);
    const auto scratch = workspace(shape, x);
    C10_CUDA_CHECK(group_norm(shape, x.const_data_ptr(), shift_of(of_channels, of_samples),
                              weight.const_data_ptr(), bias.const_data_ptr(), y.data_ptr(),
                              mean.data_ptr<float>(), rstd.data_ptr<float>(), scratch.data_ptr<float>(), silu,
                              element_of(x), stream()));
    context->save_for_backward({x, of_channels, of_samples, weight, bias, mean, rstd});
    context->saved_data["groups"] = groups;
    context->saved_data["eps"] = eps;
    context->saved_data["silu"] = silu;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[3], &bias = saved[4], &mean = saved[5], &rstd = saved[6];
    const auto shape =
        shape_of(x, context->saved_data["groups"].toInt(), context->saved_data["eps"].toDouble());
    const auto dy = channels_last(gradients[0]);
    auto dx = at::empty_like(x);
    const auto scratch = workspace(shape, x);
    C10_CUDA_CHECK(group_norm_backward(
        shape, dy.const_data_ptr(), x.const_data_ptr(), shift_of(saved[1], saved[2]), weight.const_data_ptr(),
        bias.const_data_ptr(), mean.const_data_ptr<float>(), rstd.const_data_ptr<float>(), dx.data_ptr(),
        scratch.data_ptr<float>(), context->saved_data["silu"].toBool(), element_of(x), stream()));
    return {dx, Tensor(), Tensor(), Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

struct AddBiasFunction : torch::autograd::Function<AddBiasFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& given, const Tensor& bias,
                        const Optional& given_addend) {
    const auto x = channels_last(given);
    const auto addend = given_addend ? channels_last(*given_addend) : Tensor();
    TORCH_CHECK(!addend.defined() || addend.sizes() == x.sizes(), "an addend of ", addend.sizes(),
                " for an image of ", x.sizes());
    auto y = at::empty_like(x);
    C10_CUDA_CHECK(add_bias(x.numel() / x.size(1), x.size(1), x.const_data_ptr(), bias.const_data_ptr(),
                            data_of(addend), y.data_ptr(), element_of(x), stream()));
    context->saved_data["addend"] = addend.defined() && given_addend->requires_grad();
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {gradients[0], Tensor(), context->saved_data["addend"].toBool() ? gradients[0] : Tensor()};
  }
};

/// A 3x3 convolution as a product of matrices.
struct SmallConvolutionFunction : torch::autograd::Function<SmallConvolutionFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& given, const Tensor& weight,
                        const Optional& bias, const Optional& addend, at::IntArrayRef size, int64_t stride,
                        int64_t padding) {
    const auto x = channels_last(given);
    const auto patches = at::empty({x.size(0), size[0], size[1], 9 * x.size(1)}, x.options());
    C10_CUDA_CHECK(unfold(x.size(0), x.size(2), x.size(3), x.size(1), size[0], size[1], stride, padding,
                          x.const_data_ptr(), patches.mutable_data_ptr(), element_of(x), stream()));
    context->save_for_backward({x, weight});
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    context->saved_data["addend"] = addend.has_value() && addend->requires_grad();
    const auto last = [](const Tensor& image) { return image.permute({0, 2, 3, 1}); };
    return linear(patches, last(channels_last(weight)).flatten(1), undefined_or(bias),
                  addend ? last(channels_last(*addend)) : Tensor())
        .permute({0, 3, 1, 2});
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const int64_t stride = context->saved_data["stride"].toInt();
    const int64_t padding = context->saved_data["padding"].toInt();
    const auto dx = at::convolution_backward(channels_last(gradients[0]), saved[0], saved[1], std::nullopt,
                                             {stride, stride}, {padding, padding}, {1, 1}, false, {0, 0}, 1,
                                             {true, false, false});
    const auto of_addend = context->saved_data["addend"].toBool() ? gradients[0] : Tensor();
    return {std::get<0>(dx), Tensor(), Tensor(), of_addend, Tensor(), Tensor(), Tensor()};
  }
};

struct LayerNormFunction : torch::autograd::Function<LayerNormFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& given, const Tensor& weight,
                        const Tensor& bias, double eps) {
    const auto x = given.contiguous();
    const int64_t width = x.size(-1), rows = x.numel() / width;
    auto y = at::empty_like(x);
    const auto mean = floats({rows}, x), rstd = at::empty_like(mean);
    C10_CUDA_CHECK(layer_norm(rows, width, static_cast<float>(eps), x.const_data_ptr(),
                              weight.const_data_ptr(), bias.const_data_ptr(), y.data_ptr(),
                              mean.data_ptr<float>(), rstd.data_ptr<float>(), element_of(x), stream()));
    context->save_for_backward({x, weight, mean, rstd});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &mean = saved[2], &rstd = saved[3];
    const auto dy = gradients[0].contiguous();
    auto dx = at::empty_like(x);
    const int64_t width = x.size(-1);
    C10_CUDA_CHECK(layer_norm_backward(x.numel() / width, width, dy.const_data_ptr(), x.const_data_ptr(),
                                       weight.const_data_ptr(), mean.const_data_ptr<float>(),
                                       rstd.const_data_ptr<float>(), dx.data_ptr(), element_of(x), stream()));
    return {dx, Tensor(), Tensor(), Tensor()};
  }
};

struct LinearFunction : torch::autograd::Function<LinearFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, const Optional& bias,
                        const Optional& addend) {
    context->save_for_backward({weight});
    context->saved_data["addend"] = addend.has_value() && addend->requires_grad();
    return linear(x, weight, undefined_or(bias), undefined_or(addend));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto& dy = gradients[0];
    const auto dx =
        context->needs_input_grad(0) ? at::matmul(dy, context->get_saved_variables()[0]) : Tensor();
    return {dx, Tensor(), Tensor(), context->saved_data["addend"].toBool() ? dy : Tensor()};
  }
};

struct UpsampleFunction : torch::autograd::Function<UpsampleFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& given, at::IntArrayRef size) {
    const auto x = channels_last(given);
    auto y = at::empty({x.size(0), x.size(1), size[0], size[1]}, x.options(), at::MemoryFormat::ChannelsLast);
    C10_CUDA_CHECK(upsample(x.size(0), x.size(2), x.size(3), x.size(1), size[0], size[1], x.const_data_ptr(),
                            y.data_ptr(), element_of(x), stream()));
    context->saved_data["sizes"] = x.sizes().vec();
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto sizes = context->saved_data["sizes"].toIntVector();
    const auto dy = channels_last(gradients[0]);
    return {at::upsample_nearest2d_backward(dy, dy.sizes().slice(2), sizes), Tensor()};
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

Tensor group_norm(const Tensor& x, const Shift& shift, int64_t groups, const Tensor& weight,
                  const Tensor& bias, double eps, bool silu) {
  const auto of_samples = shift.of_samples.defined() ? shift.of_samples.contiguous() : Tensor();
  return GroupNormFunction::apply(x, optional(shift.of_channels), optional(of_samples), groups, weight, bias,
                                  eps, silu);
}

Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& addend,
                   int64_t stride, int64_t padding) {
  TORCH_CHECK(bias.defined() || !addend.defined(), "a convolution with an addend, but without a bias");
  const int64_t kernel = weight.size(2);
  if (kernel == 1 && stride == 1 && padding == 0 && !addend.defined()) {
    return linear_plus(x.permute({0, 2, 3, 1}), weight.flatten(1), bias, {}).permute({0, 3, 1, 2});
  }
  const auto sizes = [&](int64_t from) { return (from + 2 * padding - kernel) / stride + 1; };
  const std::array size = {sizes(x.size(2)), sizes(x.size(3))};
  if (kernel == 3 && x.size(0) * size[0] * size[1] <= few_pixels) {
    return SmallConvolutionFunction::apply(x, weight, optional(bias), optional(addend), size, stride,
                                           padding);
  }
  const auto product = at::conv2d(x, weight, {}, {stride, stride}, {padding, padding});
  return bias.defined() ? AddBiasFunction::apply(product, bias, optional(addend)) : product;
}

Tensor linear_plus(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& addend) {
  return LinearFunction::apply(x, weight, optional(bias), optional(addend));
}

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  if (!layer_norm_takes(x.size(-1), element_of(x)))
    return at::layer_norm(x, weight.sizes(), weight, bias, eps);
  return LayerNormFunction::apply(x, weight, bias, eps);
}

Tensor geglu(const Tensor& x) { return GegluFunction::apply(x); }

Tensor upsample(const Tensor& x, at::IntArrayRef size) { return UpsampleFunction::apply(x, size); }

}  // namespace w2w::cuda
