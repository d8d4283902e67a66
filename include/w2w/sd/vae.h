#pragma once
#include <optional>

#include "w2w/nn/resnet.h"
#include "w2w/nn/transformer.h"
#include "w2w/sd/config.h"

namespace w2w {

using at::Tensor;

/// The halves of Stable Diffusion's autoencoder (Rombach et al. 2022), so that each can be loaded alone.

/// Residual self-attention of one head over the pixels of a feature map [B, C, H, W].
struct PixelAttention {
  PixelAttention(const nn::Scope& scope, int64_t channels, int64_t groups);
  Tensor operator()(const Tensor& x) const;
  nn::GroupNorm group_norm;
  nn::Linear to_q, to_k, to_v, to_out;
};

struct VaeMidBlock {
  VaeMidBlock(const nn::Scope& scope, int64_t channels, int64_t groups);
  Tensor operator()(const Tensor& x) const;
  nn::ResnetBlock resnet0;
  PixelAttention attention;
  nn::ResnetBlock resnet1;
};

/// A diagonal Gaussian over latents, unscaled. Both: [B, latent_channels, H / f, W / f]
struct LatentDistribution {
  Tensor mean, std;
};

class VaeEncoder {
 public:
  VaeEncoder(const VaeConfig& config, nn::Weights& weights);

  /// image: [B, 3, H, W] in -1..1, H and W divisible by the down-factor.
  LatentDistribution operator()(const Tensor& image) const;

 private:
  struct Level {
    std::vector<nn::ResnetBlock> resnets;
    std::optional<nn::Downsample> downsampler;
  };
  nn::Conv2d conv_in_;
  std::vector<Level> down_blocks_;
  VaeMidBlock mid_block_;
  nn::GroupNorm conv_norm_out_;
  nn::Conv2d conv_out_;
  std::optional<nn::Conv2d> quant_conv_;
};

class VaeDecoder {
 public:
  VaeDecoder(const VaeConfig& config, nn::Weights& weights);

  /// latents: [B, latent_channels, h, w], divided by the scaling factor -> image [B, 3, h * f, w * f], about
  /// -1..1.
  Tensor operator()(const Tensor& latents) const;

  /// The same in overlapping tiles of `tile` x `tile` latents whose seams are blended linearly over a quarter
  /// of a tile: memory for one tile only; not exactly equal, since normalisation and attention see one tile
  /// at a time.
  Tensor tiled(const Tensor& latents, int64_t tile = 64) const;

 private:
  struct Level {
    std::vector<nn::ResnetBlock> resnets;
    std::optional<nn::Upsample> upsampler;
  };
  int64_t down_factor_;
  std::optional<nn::Conv2d> post_quant_conv_;
  nn::Conv2d conv_in_;
  VaeMidBlock mid_block_;
  std::vector<Level> up_blocks_;
  nn::GroupNorm conv_norm_out_;
  nn::Conv2d conv_out_;
};

}  // namespace w2w
