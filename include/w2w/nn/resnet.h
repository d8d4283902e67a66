#pragma once
// The convolutional blocks of Stable Diffusion's UNet and VAE.

#include <optional>

#include "w2w/nn/layers.h"

namespace w2w::nn {

/// GroupNorm, SiLU, 3x3, (+ shift), GroupNorm, SiLU, 3x3, + input. [B, in, H, W] -> [B, out, H, W]
struct ResnetBlock {
  /// `time_width` 0: a block without time embedding (VAE).
  ResnetBlock(const Scope& scope, int64_t in, int64_t out, int64_t time_width, int64_t groups, double eps);
  /// `shift`: time_emb_proj of the time embedding, [B or 1, out]; undefined for a block without one.
  Tensor operator()(const Tensor& x, const Tensor& shift = {}) const;

  GroupNorm norm1;
  Conv2d conv1;
  std::optional<Linear> time_emb_proj;
  GroupNorm norm2;
  Conv2d conv2;
  std::optional<Conv2d> conv_shortcut;
};

/// Halves H and W by a strided 3x3. The VAE pads only right and bottom (`padding` 0), the UNet all around
/// (1).
struct Downsample {
  Downsample(const Scope& scope, int64_t channels, int64_t padding);
  Tensor operator()(const Tensor& x) const;
  Conv2d conv;
};

/// Nearest-neighbour to `size` [H, W], then a 3x3.
struct Upsample {
  Upsample(const Scope& scope, int64_t channels);
  Tensor operator()(const Tensor& x, at::IntArrayRef size) const;
  Conv2d conv;
};

}  // namespace w2w::nn
