#pragma once
#include "w2w/nn/transformer.h"
#include "w2w/sd/config.h"

namespace w2w {

using at::Tensor;

/// CLIP's text encoder (Radford et al. 2021): a causal pre-norm transformer over token ids.
class ClipText {
 public:
  ClipText(const ClipTextConfig& config, nn::Weights& weights);

  /// ids: i64 [B, N <= max_position_embeddings] -> [B, N, hidden_size], after the final layer norm.
  /// `skip_layers` leaves out that many of the last layers (A1111's "clip skip 2" is skip_layers 1).
  Tensor operator()(const Tensor& ids, int64_t skip_layers = 0) const;

  const ClipTextConfig& config() const { return config_; }

 private:
  struct Layer {
    Layer(const nn::Scope& scope, const ClipTextConfig& config);
    nn::LayerNorm layer_norm1;
    nn::Linear q_proj, k_proj, v_proj, out_proj;
    nn::LayerNorm layer_norm2;
    nn::Linear fc1, fc2;
  };

  ClipTextConfig config_;
  Tensor token_embedding_, position_embedding_;
  std::vector<Layer> layers_;
  nn::LayerNorm final_layer_norm_;
};

}  // namespace w2w
