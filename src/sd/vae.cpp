#include "w2w/sd/vae.h"

#include <ATen/TensorOperators.h>

namespace w2w {
namespace {
constexpr double vae_eps = 1e-6;
}  // namespace

PixelAttention::PixelAttention(const nn::Scope& scope, int64_t channels, int64_t groups)
    : group_norm(scope / "group_norm", groups, channels, vae_eps),
      to_q(scope / "to_q", channels, channels),
      to_k(scope / "to_k", channels, channels),
      to_v(scope / "to_v", channels, channels),
      to_out(scope / "to_out" / 0, channels, channels) {}

Tensor PixelAttention::operator()(const Tensor& x) const {
  const auto pixels = group_norm(x).flatten(2).transpose(1, 2);
  const auto attended = to_out(nn::multi_head_attention(to_q(pixels), to_k(pixels), to_v(pixels), 1));
  return attended.transpose(1, 2).unflatten(2, x.sizes().slice(2)) + x;
}

VaeMidBlock::VaeMidBlock(const nn::Scope& scope, int64_t channels, int64_t groups)
    : resnet0(scope / "resnets" / 0, channels, channels, 0, groups, vae_eps),
      attention(scope / "attentions" / 0, channels, groups),
      resnet1(scope / "resnets" / 1, channels, channels, 0, groups, vae_eps) {}

Tensor VaeMidBlock::operator()(const Tensor& x) const { return resnet1(attention(resnet0(x))); }

VaeEncoder::VaeEncoder(const VaeConfig& config, nn::Weights& weights)
    : conv_in_(nn::Scope(weights, "encoder.conv_in"), config.in_channels, config.block_out_channels[0], 3, 1,
               1),
      mid_block_(nn::Scope(weights, "encoder.mid_block"), config.block_out_channels.back(),
                 config.norm_num_groups),
      conv_norm_out_(nn::Scope(weights, "encoder.conv_norm_out"), config.norm_num_groups,
                     config.block_out_channels.back(), vae_eps),
      conv_out_(nn::Scope(weights, "encoder.conv_out"), config.block_out_channels.back(),
                2 * config.latent_channels, 3, 1, 1) {
  const auto& channels = config.block_out_channels;
  for (size_t level = 0; level < channels.size(); ++level) {
    const auto scope = nn::Scope(weights, "encoder.down_blocks") / static_cast<int64_t>(level);
    auto& block = down_blocks_.emplace_back();
    for (int64_t i = 0; i < config.layers_per_block; ++i) {
      const int64_t in = i > 0 ? channels[level] : channels[level > 0 ? level - 1 : 0];
      block.resnets.emplace_back(scope / "resnets" / i, in, channels[level], 0, config.norm_num_groups,
                                 vae_eps);
    }
    if (level + 1 < channels.size())
      block.downsampler.emplace(scope / "downsamplers" / 0, channels[level], 0);
  }
  if (config.use_quant_conv) {
    quant_conv_.emplace(nn::Scope(weights, "quant_conv"), 2 * config.latent_channels,
                        2 * config.latent_channels, 1);
  }
}

LatentDistribution VaeEncoder::operator()(const Tensor& image) const {
  auto x = conv_in_(image.contiguous(at::MemoryFormat::ChannelsLast));
  for (const auto& block : down_blocks_) {
    for (const auto& resnet : block.resnets) x = resnet(x);
    if (block.downsampler) x = (*block.downsampler)(x);
  }
  x = conv_out_(conv_norm_out_.silu(mid_block_(x)));
  if (quant_conv_) x = (*quant_conv_)(x);
  const auto moments = x.chunk(2, 1);
  return {moments[0], (0.5 * moments[1].clamp(-30, 20)).exp()};  // the second half is the log-variance
}

VaeDecoder::VaeDecoder(const VaeConfig& config, nn::Weights& weights)
    : down_factor_(config.down_factor()),
      conv_in_(nn::Scope(weights, "decoder.conv_in"), config.latent_channels,
               config.block_out_channels.back(), 3, 1, 1),
      mid_block_(nn::Scope(weights, "decoder.mid_block"), config.block_out_channels.back(),
                 config.norm_num_groups),
      conv_norm_out_(nn::Scope(weights, "decoder.conv_norm_out"), config.norm_num_groups,
                     config.block_out_channels[0], vae_eps),
      conv_out_(nn::Scope(weights, "decoder.conv_out"), config.block_out_channels[0], config.out_channels, 3,
                1, 1) {
  const std::vector<int64_t> channels(config.block_out_channels.rbegin(), config.block_out_channels.rend());
  if (config.use_post_quant_conv) {
    post_quant_conv_.emplace(nn::Scope(weights, "post_quant_conv"), config.latent_channels,
                             config.latent_channels, 1);
  }
  for (size_t level = 0; level < channels.size(); ++level) {
    const auto scope = nn::Scope(weights, "decoder.up_blocks") / static_cast<int64_t>(level);
    auto& block = up_blocks_.emplace_back();
    for (int64_t i = 0; i < config.layers_per_block + 1; ++i) {
      const int64_t in = i > 0 ? channels[level] : channels[level > 0 ? level - 1 : 0];
      block.resnets.emplace_back(scope / "resnets" / i, in, channels[level], 0, config.norm_num_groups,
                                 vae_eps);
    }
    if (level + 1 < channels.size()) block.upsampler.emplace(scope / "upsamplers" / 0, channels[level]);
  }
}

Tensor VaeDecoder::operator()(const Tensor& latents) const {
  auto x = latents.contiguous(at::MemoryFormat::ChannelsLast);
  if (post_quant_conv_) x = (*post_quant_conv_)(x);
  x = mid_block_(conv_in_(x));
  for (const auto& block : up_blocks_) {
    for (const auto& resnet : block.resnets) x = resnet(x);
    if (block.upsampler) x = (*block.upsampler)(x, {2 * x.size(2), 2 * x.size(3)});
  }
  return conv_out_(conv_norm_out_.silu(x));
}

}  // namespace w2w
