#include "w2w/sd/clip_text.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/sigmoid.h>

#include "w2w/base/error.h"

namespace w2w {

ClipText::Layer::Layer(const nn::Scope& scope, const ClipTextConfig& c)
    : layer_norm1(scope / "layer_norm1", c.hidden_size, c.layer_norm_eps),
      q_proj(scope / "self_attn" / "q_proj", c.hidden_size, c.hidden_size),
      k_proj(scope / "self_attn" / "k_proj", c.hidden_size, c.hidden_size),
      v_proj(scope / "self_attn" / "v_proj", c.hidden_size, c.hidden_size),
      out_proj(scope / "self_attn" / "out_proj", c.hidden_size, c.hidden_size),
      layer_norm2(scope / "layer_norm2", c.hidden_size, c.layer_norm_eps),
      fc1(scope / "mlp" / "fc1", c.hidden_size, c.intermediate_size),
      fc2(scope / "mlp" / "fc2", c.intermediate_size, c.hidden_size) {}

ClipText::ClipText(const ClipTextConfig& config, nn::Weights& weights)
    : config_(config),
      token_embedding_(
          weights.take("embeddings.token_embedding.weight", {config.vocab_size, config.hidden_size})),
      position_embedding_(weights.take("embeddings.position_embedding.weight",
                                       {config.max_position_embeddings, config.hidden_size})),
      final_layer_norm_(nn::Scope(weights, "final_layer_norm"), config.hidden_size, config.layer_norm_eps) {
  const nn::Scope layers(weights, "encoder.layers");
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) layers_.emplace_back(layers / i, config);
}

Tensor ClipText::operator()(const Tensor& ids, int64_t skip_layers) const {
  const auto layers = static_cast<int64_t>(layers_.size());
  if (skip_layers < 0 || skip_layers >= layers) {
    throw Error(ErrorKind::usage, "clip skip leaves no layer of the text encoder: it has " +
                                      std::to_string(layers) + ", asked to skip " +
                                      std::to_string(skip_layers));
  }
  auto x = at::embedding(token_embedding_, ids) + position_embedding_.slice(0, 0, ids.size(1));
  for (int64_t i = 0; i < layers - skip_layers; ++i) {
    const auto& layer = layers_[i];
    auto h = layer.layer_norm1(x);
    h = nn::multi_head_attention(layer.q_proj(h), layer.k_proj(h), layer.v_proj(h),
                                 config_.num_attention_heads, {}, /*causal=*/true);
    x = x + layer.out_proj(h);
    h = layer.fc1(layer.layer_norm2(x));
    h = config_.quick_gelu ? h * at::sigmoid(1.702 * h) : at::gelu(h);
    x = x + layer.fc2(h);
  }
  return final_layer_norm_(x);
}

}  // namespace w2w
