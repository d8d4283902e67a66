#include "w2w/nn/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/stack.h>

#include "w2w/device/accelerator.h"

namespace w2w::nn {
namespace {

Tensor split_heads(const Tensor& x, int64_t heads) {
  return x.unflatten(-1, {heads, x.size(-1) / heads}).transpose(1, 2);
}

Linear projection(const Scope& scope, int64_t channels, bool linear) {
  if (linear) return {scope, channels, channels};
  const auto weight = scope.take("weight", {channels, channels, 1, 1});
  return {scope, weight.dim() == 4 ? weight.flatten(1) : weight, scope.take("bias", {channels})};
}

}  // namespace

Tensor multi_head_attention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads,
                            const Tensor& mask, bool causal) {
  const auto attended =
      at::scaled_dot_product_attention(split_heads(q, heads), split_heads(k, heads), split_heads(v, heads),
                                       mask.defined() ? std::optional(mask) : std::nullopt, 0.0, causal);
  return attended.transpose(1, 2).flatten(2);
}

Attention::Attention(const Scope& scope, int64_t width, int64_t context_width, int64_t heads_)
    : to_q(scope / "to_q", width, width, false),
      to_k(scope / "to_k", context_width, width, false),
      to_v(scope / "to_v", context_width, width, false),
      to_out(scope / "to_out" / 0, width, width),
      heads(heads_) {}

void Attention::join_projections() {
  const std::vector<Tensor> weights = {to_q.weight, to_k.weight, to_v.weight};
  for (const auto& weight : weights) {
    if (weight.numel() == 0) return;  // missing: Weights::finish tells of it
  }
  to_qkv = join_rows(weights);
}

Tensor Context::repeat_for_prompts(const Tensor& x) const {
  const int64_t prompts = embedding_.size(0) / x.size(0);
  if (prompts <= 1) return x;
  const bool is_image = x.dim() == 4;  // whose channels stay last
  const auto each = is_image ? x.permute({0, 2, 3, 1}) : x;
  const auto repeated = at::stack(std::vector<Tensor>(prompts, each), 1).flatten(0, 1);
  return is_image ? repeated.permute({0, 3, 1, 2}) : repeated;
}

Tensor Attention::plus(const Tensor& addend, const Tensor& x) const {
  const auto is_plain = [](const Linear& layer) { return !layer.branch->down.defined(); };
  if (!to_qkv.defined() || !is_plain(to_q) || !is_plain(to_k) || !is_plain(to_v)) {
    return attend(addend, x, to_k(x), to_v(x));
  }
  const auto qkv = accelerator_of(x)->linear(x, to_qkv, {}, {}).chunk(3, -1);
  return to_out.plus(addend, multi_head_attention(qkv[0], qkv[1], qkv[2], heads));
}

Tensor Attention::attend(const Tensor& addend, const Tensor& x, const Tensor& k, const Tensor& v) const {
  return to_out.plus(addend, multi_head_attention(to_q(x), k, v, heads));
}

Tensor Attention::plus(const Tensor& addend, const Tensor& x, const Context& context) const {
  const auto for_batch = [&](const Tensor& of_context) {
    return of_context.size(0) == x.size(0) ? of_context : of_context.expand({x.size(0), -1, -1});
  };
  if (const auto values = context.values_.find(this); values != context.values_.end()) {
    return attend(addend, x, for_batch(context.keys_.at(this)), for_batch(values->second));
  }
  Tensor keys;
  if (context.keep_keys_ && !to_k.branch->down.defined()) {
    auto& kept = context.keys_[this];
    if (!kept.defined()) kept = to_k(context.embedding_);
    keys = kept;
  } else {
    keys = to_k(context.embedding_);
  }
  return attend(addend, x, for_batch(keys), for_batch(to_v(context.embedding_)));
}

FeedForward::FeedForward(const Scope& scope, int64_t width)
    : proj(scope / "net" / 0 / "proj", width, 8 * width), out(scope / "net" / 2, 4 * width, width) {}

Tensor FeedForward::plus(const Tensor& addend, const Tensor& x) const {
  const auto both = proj(x);
  if (auto* device = accelerator_of(x)) return out.plus(addend, device->geglu(both));
  const auto value_and_gate = both.chunk(2, -1);
  return out.plus(addend, value_and_gate[0] * at::gelu(value_and_gate[1]));
}

TransformerBlock::TransformerBlock(const Scope& scope, int64_t width, int64_t context_width, int64_t heads)
    : norm1(scope / "norm1", width),
      attn1(scope / "attn1", width, width, heads),
      norm2(scope / "norm2", width),
      attn2(scope / "attn2", width, context_width, heads),
      norm3(scope / "norm3", width),
      ff(scope / "ff", width) {
  if (accelerator_of(attn1.to_out.weight)) attn1.join_projections();
}

Tensor TransformerBlock::operator()(Tensor x, const Context& context) const {
  x = context.repeat_for_prompts(attn1.plus(x, norm1(x)));
  x = attn2.plus(x, norm2(x), context);
  return ff.plus(x, norm3(x));
}

SpatialTransformer::SpatialTransformer(const Scope& scope, int64_t channels, int64_t context_width,
                                       int64_t heads, int64_t layers, int64_t groups, bool linear_projection)
    : norm(scope / "norm", groups, channels, 1e-6),
      proj_in(projection(scope / "proj_in", channels, linear_projection)),
      proj_out(projection(scope / "proj_out", channels, linear_projection)) {
  for (int64_t i = 0; i < layers; ++i) {
    transformer_blocks.emplace_back(scope / "transformer_blocks" / i, channels, context_width, heads);
  }
}

Tensor SpatialTransformer::operator()(const Tensor& x, const Context& context) const {
  const auto as_tokens = [](const Tensor& image) {  // a view when it is channels_last
    return image.permute({0, 2, 3, 1}).flatten(1, 2);
  };
  auto tokens = proj_in(as_tokens(norm(x)));
  for (const auto& block : transformer_blocks) tokens = block(tokens, context);
  tokens = proj_out.plus(context.repeat_for_prompts(as_tokens(x)), tokens);
  return tokens.unflatten(1, {x.size(2), x.size(3)}).permute({0, 3, 1, 2});
}

}  // namespace w2w::nn
