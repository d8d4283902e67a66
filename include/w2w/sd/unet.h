#pragma once
#include <optional>

#include "w2w/nn/embeddings.h"
#include "w2w/nn/resnet.h"
#include "w2w/nn/transformer.h"
#include "w2w/sd/config.h"

namespace w2w {

using at::Tensor;

/// Stable Diffusion's conditional UNet: predicts the noise (or velocity) in latents.
class UNet {
 public:
  UNet(const UNetConfig& config, nn::Weights& weights);

  /// latents: [B, in_channels, H, W]; timesteps: [B] or [1]; context: [B or 1, tokens, cross_attention_dim].
  /// -> [B, out_channels, H, W]. With a context of n B prompts each sample is drawn by n of them: timesteps
  /// [1], -> [n B, out_channels, H, W].
  Tensor operator()(const Tensor& latents, const Tensor& timesteps, const nn::Context& context) const;

  /// The keys and values of all cross-attentions to an embedding, one after the other: the same in all steps
  /// of a picture, as long as the weights are.
  std::vector<Tensor> project(const Tensor& embedding) const;
  /// The context that `project` gave these for.
  nn::Context projected(const Tensor& embedding, const std::vector<Tensor>& keys_and_values) const;

  /// The branch of each linear layer by its name, empty at first: filled ones take part in every call.
  const std::map<std::string, std::shared_ptr<nn::LowRankBranch>>& branches() const { return branches_; }

  const UNetConfig& config() const { return config_; }

 private:
  using Scope = nn::Scope;

  struct DownBlock {
    std::vector<nn::ResnetBlock> resnets;
    std::vector<nn::SpatialTransformer> attentions;  ///< empty, or one per resnet
    std::optional<nn::Downsample> downsampler;
  };
  struct MidBlock {
    nn::ResnetBlock resnet0;
    nn::SpatialTransformer attention;
    nn::ResnetBlock resnet1;
  };
  struct UpBlock {
    std::vector<nn::ResnetBlock> resnets;
    std::vector<nn::SpatialTransformer> attentions;  ///< empty, or one per resnet
    std::optional<nn::Upsample> upsampler;
  };

  std::vector<const nn::Attention*> cross_attentions() const;
  std::vector<const nn::ResnetBlock*> resnets() const;
  void join_time_projections();
  std::vector<Tensor> project_time(const Tensor& time) const;
  nn::ResnetBlock resnet(const Scope& scope, int64_t in, int64_t out) const;
  nn::SpatialTransformer transformer(const Scope& scope, size_t level) const;
  DownBlock down_block(const Scope& scope, size_t level) const;
  MidBlock mid_block(const Scope& scope) const;
  UpBlock up_block(const Scope& scope, size_t index) const;

  UNetConfig config_;
  nn::Conv2d conv_in_;
  nn::TimeEmbedding time_embedding_;
  Tensor time_weight_, time_bias_;  ///< of all time_emb_proj, one after the other; undefined on a CPU
  std::vector<DownBlock> down_blocks_;
  MidBlock mid_block_;
  std::vector<UpBlock> up_blocks_;
  nn::GroupNorm conv_norm_out_;
  nn::Conv2d conv_out_;
  std::map<std::string, std::shared_ptr<nn::LowRankBranch>> branches_;
};

}  // namespace w2w
