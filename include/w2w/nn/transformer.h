#pragma once
// The attention blocks of Stable Diffusion's UNet.

#include <vector>

#include "w2w/nn/layers.h"

namespace w2w::nn {

/// Multi-head attention of q: [B, N, width] over k, v: [B, M, width] with `heads` heads; softmax(q k^T /
/// sqrt(d)) v.
Tensor multi_head_attention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads,
                            const Tensor& mask = {}, bool causal = false);

/// Self-attention (context_width == width) or cross-attention to a context [B, M, context_width].
struct Attention {
  Attention(const Scope& scope, int64_t width, int64_t context_width, int64_t heads);
  Tensor operator()(const Tensor& x, const Tensor& context) const;
  Linear to_q, to_k, to_v, to_out;
  int64_t heads;
};

/// Linear to twice 4 * width, GEGLU (Shazeer 2020: value * gelu(gate)), Linear back.
struct FeedForward {
  FeedForward(const Scope& scope, int64_t width);
  Tensor operator()(const Tensor& x) const;
  Linear proj, out;
};

/// Pre-norm self-attention, cross-attention, feed-forward. x: [B, N, width]
struct TransformerBlock {
  TransformerBlock(const Scope& scope, int64_t width, int64_t context_width, int64_t heads);
  Tensor operator()(Tensor x, const Tensor& context) const;
  LayerNorm norm1;
  Attention attn1;
  LayerNorm norm2;
  Attention attn2;
  LayerNorm norm3;
  FeedForward ff;
};

/// Transformer blocks over the pixels of a feature map [B, C, H, W], residual. SD 1.x projects by a 1x1
/// convolution, SD 2.x by a linear layer (`linear_projection`): the same product on weights of different
/// shape.
struct SpatialTransformer {
  SpatialTransformer(const Scope& scope, int64_t channels, int64_t context_width, int64_t heads,
                     int64_t layers, int64_t groups, bool linear_projection);
  Tensor operator()(const Tensor& x, const Tensor& context) const;
  GroupNorm norm;
  Tensor proj_in_weight, proj_in_bias;
  std::vector<TransformerBlock> transformer_blocks;
  Tensor proj_out_weight, proj_out_bias;
};

}  // namespace w2w::nn
