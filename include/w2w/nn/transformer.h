#pragma once
// The attention blocks of Stable Diffusion's UNet.

#include <map>
#include <vector>

#include "w2w/nn/layers.h"

namespace w2w::nn {

/// Multi-head attention of q: [B, N, width] over k, v: [B, M, width] with `heads` heads; softmax(q k^T /
/// sqrt(d)) v.
Tensor multi_head_attention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads,
                            const Tensor& mask = {}, bool causal = false);

struct Attention;

/// What cross-attention reads: embedded prompts [B, M, width], one [1, M, width] for a whole batch, or
/// several for each sample. Then samples share all that comes before the first cross-attention.
class Context {
 public:
  Context(Tensor embedding) : embedding_(std::move(embedding)) {}  // NOLINT: a tensor is a context

  /// x [B, ...], with every sample as often as there are prompts for it: those of a sample lie side by side.
  Tensor repeat_for_prompts(const Tensor& x) const;

  /// From here on each attention projects its keys once and finds them here again. For use with one model
  /// whose to_k stay as they are, but for learned branches.
  void keep_keys() { keep_keys_ = true; }

  /// What attention.project gave for this embedding with the weights of now: used in place of projecting.
  void set_projected(const Attention* attention, Tensor keys, Tensor values) {
    keys_[attention] = std::move(keys);
    values_[attention] = std::move(values);
  }

 private:
  friend struct Attention;
  Tensor embedding_;
  bool keep_keys_ = false;
  mutable std::map<const Attention*, Tensor> keys_;
  std::map<const Attention*, Tensor> values_;
};

/// Self-attention of x [B, N, width], or cross-attention to a context of any width.
struct Attention {
  Attention(const Scope& scope, int64_t width, int64_t context_width, int64_t heads);
  /// addend [B, N, width] + the attention.
  Tensor plus(const Tensor& addend, const Tensor& x) const;
  Tensor plus(const Tensor& addend, const Tensor& x, const Context& context) const;
  /// For self-attention on a device: from here on one product gives q, k and v, unless one has a branch. The
  /// three weights become parts of one matrix, and may go on changing in place.
  void join_projections();
  Linear to_q, to_k, to_v, to_out;
  int64_t heads;
  Tensor to_qkv;  ///< weights of to_q, to_k and to_v, one after the other; undefined until joined

 private:
  Tensor attend(const Tensor& addend, const Tensor& x, const Tensor& k, const Tensor& v) const;
};

/// Linear to twice 4 * width, GEGLU (Shazeer 2020: value * gelu(gate)), Linear back.
struct FeedForward {
  FeedForward(const Scope& scope, int64_t width);
  Tensor plus(const Tensor& addend, const Tensor& x) const;
  Linear proj, out;
};

/// Pre-norm self-attention, cross-attention, feed-forward. x: [B, N, width]
struct TransformerBlock {
  TransformerBlock(const Scope& scope, int64_t width, int64_t context_width, int64_t heads);
  Tensor operator()(Tensor x, const Context& context) const;
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
  Tensor operator()(const Tensor& x, const Context& context) const;
  GroupNorm norm;
  Linear proj_in;
  std::vector<TransformerBlock> transformer_blocks;
  Linear proj_out;
};

}  // namespace w2w::nn
