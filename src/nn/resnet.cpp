#include "w2w/nn/resnet.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/upsample_nearest2d.h>

#include "w2w/device/accelerator.h"

namespace w2w::nn {

ResnetBlock::ResnetBlock(const Scope& scope, int64_t in, int64_t out, int64_t time_width, int64_t groups,
                         double eps)
    : norm1(scope / "norm1", groups, in, eps),
      conv1(scope / "conv1", in, out, 3, 1, 1),
      norm2(scope / "norm2", groups, out, eps),
      conv2(scope / "conv2", out, out, 3, 1, 1) {
  if (time_width > 0) time_emb_proj.emplace(scope / "time_emb_proj", time_width, out);
  if (in != out) conv_shortcut.emplace(scope / "conv_shortcut", in, out, 1);
}

Tensor ResnetBlock::operator()(const Tensor& x, const Tensor& shift) const {
  const auto h = norm2.silu_after(conv1, shift, norm1.silu(x));
  return conv2.plus(conv_shortcut ? (*conv_shortcut)(x) : x, h);
}

Downsample::Downsample(const Scope& scope, int64_t channels, int64_t padding)
    : conv(scope / "conv", channels, channels, 3, 2, padding) {}

Tensor Downsample::operator()(const Tensor& x) const {
  return conv(conv.padding == 0 ? at::constant_pad_nd(x, {0, 1, 0, 1}) : x);
}

Upsample::Upsample(const Scope& scope, int64_t channels)
    : conv(scope / "conv", channels, channels, 3, 1, 1) {}

Tensor Upsample::operator()(const Tensor& x, at::IntArrayRef size) const {
  auto* device = accelerator_of(x);
  return conv(device ? device->upsample(x, size) : at::upsample_nearest2d(x, size));
}

}  // namespace w2w::nn
