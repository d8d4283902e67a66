#include "w2w/sd/unet.h"

#include <ATen/core/IListRef.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/silu.h>

#include <algorithm>

#include "w2w/device/accelerator.h"

namespace w2w {

nn::ResnetBlock UNet::resnet(const Scope& scope, int64_t in, int64_t out) const {
  return {scope, in, out, 4 * config_.block_out_channels[0], config_.norm_num_groups, config_.norm_eps};
}

nn::SpatialTransformer UNet::transformer(const Scope& scope, size_t level) const {
  return {scope,
          config_.block_out_channels[level],
          config_.cross_attention_dim,
          config_.attention_heads[level],
          config_.transformer_layers[level],
          config_.norm_num_groups,
          config_.use_linear_projection};
}

UNet::DownBlock UNet::down_block(const Scope& scope, size_t level) const {
  const auto& channels = config_.block_out_channels;
  DownBlock block;
  for (int64_t i = 0; i < config_.layers_per_block[level]; ++i) {
    const int64_t in = i > 0 ? channels[level] : channels[level > 0 ? level - 1 : 0];
    block.resnets.push_back(resnet(scope / "resnets" / i, in, channels[level]));
    if (config_.down_has_attention[level])
      block.attentions.push_back(transformer(scope / "attentions" / i, level));
  }
  if (level + 1 < channels.size()) block.downsampler.emplace(scope / "downsamplers" / 0, channels[level], 1);
  return block;
}

UNet::MidBlock UNet::mid_block(const Scope& scope) const {
  const int64_t channels = config_.block_out_channels.back();
  return {resnet(scope / "resnets" / 0, channels, channels),
          transformer(scope / "attentions" / 0, config_.block_out_channels.size() - 1),
          resnet(scope / "resnets" / 1, channels, channels)};
}

/// Up blocks run from the deepest level to the first; each has one layer more than its level, and every layer
/// reads the features that the way down left at the same place.
UNet::UpBlock UNet::up_block(const Scope& scope, size_t index) const {
  const auto& channels = config_.block_out_channels;
  const size_t level = channels.size() - 1 - index;
  const int64_t layers = config_.layers_per_block[level] + 1;
  UpBlock block;
  for (int64_t i = 0; i < layers; ++i) {
    const int64_t below = i > 0 ? channels[level] : channels[index > 0 ? level + 1 : level];
    const int64_t skip = i + 1 < layers ? channels[level] : channels[level > 0 ? level - 1 : 0];
    block.resnets.push_back(resnet(scope / "resnets" / i, below + skip, channels[level]));
    if (config_.up_has_attention[index])
      block.attentions.push_back(transformer(scope / "attentions" / i, level));
  }
  if (level > 0) block.upsampler.emplace(scope / "upsamplers" / 0, channels[level]);
  return block;
}

UNet::UNet(const UNetConfig& config, nn::Weights& weights)
    : config_(config),
      conv_in_(Scope(weights, "conv_in"), config.in_channels, config.block_out_channels[0], 3, 1, 1),
      time_embedding_(Scope(weights, "time_embedding"), config.block_out_channels[0],
                      4 * config.block_out_channels[0]),
      mid_block_(mid_block(Scope(weights, "mid_block"))),
      conv_norm_out_(Scope(weights, "conv_norm_out"), config.norm_num_groups, config.block_out_channels[0],
                     config.norm_eps),
      conv_out_(Scope(weights, "conv_out"), config.block_out_channels[0], config.out_channels, 3, 1, 1) {
  for (size_t i = 0; i < config.block_out_channels.size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    down_blocks_.push_back(down_block(Scope(weights, "down_blocks") / index, i));
    up_blocks_.push_back(up_block(Scope(weights, "up_blocks") / index, i));
  }
  branches_ = weights.branches();
  join_time_projections();
}

std::vector<const nn::ResnetBlock*> UNet::resnets() const {
  std::vector<const nn::ResnetBlock*> all;
  const auto add = [&](const nn::ResnetBlock& block) { all.push_back(&block); };
  for (const auto& block : down_blocks_) std::for_each(block.resnets.begin(), block.resnets.end(), add);
  add(mid_block_.resnet0);
  add(mid_block_.resnet1);
  for (const auto& block : up_blocks_) std::for_each(block.resnets.begin(), block.resnets.end(), add);
  return all;
}

/// On a device one product serves all.
void UNet::join_time_projections() {
  if (!accelerator_of(conv_in_.weight)) return;
  std::vector<Tensor> weights, biases;
  for (const auto* block : resnets()) {
    weights.push_back(block->time_emb_proj->weight);
    biases.push_back(block->time_emb_proj->bias);
    if (weights.back().numel() == 0 || biases.back().numel() == 0)
      return;  // missing: Weights::finish tells of it
  }
  time_weight_ = nn::join_rows(weights);
  time_bias_ = nn::join_rows(biases);
}

/// What each of `resnets` adds for the time, [B or 1, its channels].
std::vector<Tensor> UNet::project_time(const Tensor& time) const {
  const auto blocks = resnets();
  std::vector<Tensor> shifts;
  const bool joined =
      time_weight_.defined() && std::none_of(blocks.begin(), blocks.end(), [](const auto* block) {
        return block->time_emb_proj->branch->down.defined();
      });
  const auto all = joined ? at::linear(time, time_weight_, time_bias_) : Tensor();
  int64_t column = 0;
  for (const auto* block : blocks) {
    const int64_t width = block->time_emb_proj->weight.size(0);
    shifts.push_back(joined ? all.narrow(1, column, width) : (*block->time_emb_proj)(time));
    column += width;
  }
  return shifts;
}

std::vector<const nn::Attention*> UNet::cross_attentions() const {
  std::vector<const nn::Attention*> all;
  const auto add = [&](const nn::SpatialTransformer& transformer) {
    for (const auto& block : transformer.transformer_blocks) all.push_back(&block.attn2);
  };
  for (const auto& block : down_blocks_) std::for_each(block.attentions.begin(), block.attentions.end(), add);
  add(mid_block_.attention);
  for (const auto& block : up_blocks_) std::for_each(block.attentions.begin(), block.attentions.end(), add);
  return all;
}

std::vector<Tensor> UNet::project(const Tensor& embedding) const {
  std::vector<Tensor> projected;
  for (const auto* attention : cross_attentions()) {
    projected.push_back(attention->to_k(embedding));
    projected.push_back(attention->to_v(embedding));
  }
  return projected;
}

nn::Context UNet::projected(const Tensor& embedding, const std::vector<Tensor>& keys_and_values) const {
  nn::Context context(embedding);
  auto next = keys_and_values.begin();
  for (const auto* attention : cross_attentions()) {
    context.set_projected(attention, next[0], next[1]);
    next += 2;
  }
  return context;
}

Tensor UNet::operator()(const Tensor& latents, const Tensor& timesteps, const nn::Context& context) const {
  const auto embedding = nn::timestep_embedding(timesteps, config_.block_out_channels[0],
                                                config_.flip_sin_to_cos, config_.freq_shift);
  const auto shifts = project_time(at::silu(time_embedding_(embedding.to(latents.scalar_type()))));
  auto shift = shifts.begin();

  auto x = conv_in_(latents.contiguous(at::MemoryFormat::ChannelsLast));
  std::vector<Tensor> skips = {x};
  for (const auto& block : down_blocks_) {
    for (size_t i = 0; i < block.resnets.size(); ++i) {
      x = block.resnets[i](x, *shift++);
      if (!block.attentions.empty()) x = block.attentions[i](x, context);
      skips.push_back(x);
    }
    if (block.downsampler) {
      x = (*block.downsampler)(x);
      skips.push_back(x);
    }
  }

  x = mid_block_.resnet0(x, *shift++);
  x = mid_block_.attention(x, context);
  x = mid_block_.resnet1(x, *shift++);

  for (const auto& block : up_blocks_) {
    for (size_t i = 0; i < block.resnets.size(); ++i) {
      x = block.resnets[i](at::cat({x, context.repeat_for_prompts(skips.back())}, 1), *shift++);
      skips.pop_back();
      if (!block.attentions.empty()) x = block.attentions[i](x, context);
    }
    // The next level's size comes from its skip, so that sizes which do not halve evenly work too.
    if (block.upsampler) x = (*block.upsampler)(x, skips.back().sizes().slice(2));
  }
  return conv_out_(conv_norm_out_.silu(x));
}

}  // namespace w2w
