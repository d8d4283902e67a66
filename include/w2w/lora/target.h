#pragma once
// Which matrices of a model a LoRA changes.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace w2w {

/// One linear layer by its checkpoint name, such as
/// "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", whose weight is [out, in].
struct Target {
  std::string module;
  int64_t in = 0;
  int64_t out = 0;

  bool operator==(const Target&) const = default;
};

using Targets = std::vector<Target>;

/// The flatten order of a space (docs/method.md, "The space").
void sort_by_name(Targets& targets);

/// "attn1.to_q" of "mid_block.attentions.0.transformer_blocks.0.attn1.to_q".
std::string_view kind_of(std::string_view module);

/// Error(usage) with the nearest name for a name of `which` that no layer ends with.
void check_layer_names(const Targets& linears, const std::vector<std::string>& which);

/// The linear layers among a UNet's weights: every matrix named "MODULE.weight". Looks at names and shapes
/// only.
Targets linear_layers(const std::map<std::string, at::Tensor>& weights);

/// Those of `linears` whose name ends with one of `which` ("to_q", "to_out.0"), sorted by name: the flatten
/// order of a space (docs/method.md, "The space"). Error(failure) when none is.
Targets attention_targets(const Targets& linears, const std::vector<std::string>& which = {"to_q", "to_v"});

/// Throws Error(failure) unless both lists are equal: `made_for` are the modules `what` (a space, with its
/// path) was made for, `model` those it shall be used with. The message names the first module that differs.
void check_same_targets(const Targets& made_for, const Targets& model, const std::string& what);

/// Throws Error(failure) unless `linears`, the linear layers of a model, can be those of the model that
/// `what` was made for: each of `made_for` must be among them and, where it is known (not 0), their number
/// `layers` must agree. Where it is not, `made_for` must hold every layer of its kinds ("attn1.to_q"), so
/// that a space of a shallower model is refused.
void check_targets_of(const Targets& made_for, const Targets& linears, int64_t layers,
                      const std::string& what);

}  // namespace w2w
