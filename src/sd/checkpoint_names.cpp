#include "sd/checkpoint_names.h"

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "w2w/base/error.h"

namespace w2w {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr const char* unet_prefix = "model.diffusion_model.";
constexpr const char* vae_prefix = "first_stage_model.";
constexpr const char* text_prefix = "cond_stage_model.transformer.";

/// Replaces the first name of `table` that `text` starts with.
std::string replace_head(const std::string& text, const Pairs& table) {
  for (const auto& [from, to] : table) {
    if (text.starts_with(from)) return to + text.substr(from.size());
  }
  return text;
}

std::string replace_part(std::string text, const Pairs& table) {
  for (const auto& [from, to] : table) {
    if (const auto at = text.find(from); at != std::string::npos) return text.replace(at, from.size(), to);
  }
  return text;
}

/// "12.rest" -> 12 and "rest".
std::optional<std::pair<int64_t, std::string>> split_index(const std::string& text) {
  const auto dot = text.find('.');
  if (dot == std::string::npos || dot == 0 || dot > 3) return {};
  if (text.find_first_not_of("0123456789") != dot) return {};
  return std::pair(std::stoll(text.substr(0, dot)), text.substr(dot + 1));
}

const Pairs resnet_names = {{"in_layers.0.", "norm1."},          {"in_layers.2.", "conv1."},
                            {"emb_layers.1.", "time_emb_proj."}, {"out_layers.0.", "norm2."},
                            {"out_layers.3.", "conv2."},         {"skip_connection.", "conv_shortcut."}};

/// "0.in_layers..." is a resnet, "1.transformer_blocks..." an attention, "N.conv..." or "0.op..." a
/// resampler.
std::string unet_member(const std::string& block, int64_t layer, const std::string& rest) {
  const auto inner = split_index(rest);
  if (!inner) return block + "." + rest;
  const auto& [slot, name] = *inner;
  if (name.starts_with("op.")) return block + ".downsamplers.0.conv." + name.substr(3);
  if (name.starts_with("conv.")) return block + ".upsamplers.0." + name;
  const auto index = "." + std::to_string(layer) + ".";
  if (slot == 0) return block + ".resnets" + index + replace_head(name, resnet_names);
  return block + ".attentions" + index + name;
}

std::string unet_name(const std::string& name, const UNetConfig& config) {
  const int64_t layers = config.layers_per_block[0];
  if (name.starts_with("input_blocks.")) {
    const auto index = split_index(name.substr(13));
    if (!index) return name;
    if (index->first == 0)
      return "conv_in." + index->second.substr(std::min<size_t>(2, index->second.size()));
    const int64_t level = (index->first - 1) / (layers + 1), layer = (index->first - 1) % (layers + 1);
    return unet_member("down_blocks." + std::to_string(level), layer, index->second);
  }
  if (name.starts_with("output_blocks.")) {
    const auto index = split_index(name.substr(14));
    if (!index) return name;
    const int64_t level = index->first / (layers + 1), layer = index->first % (layers + 1);
    return unet_member("up_blocks." + std::to_string(level), layer, index->second);
  }
  if (name.starts_with("middle_block.0.")) {
    return "mid_block.resnets.0." + replace_head(name.substr(15), resnet_names);
  }
  if (name.starts_with("middle_block.2.")) {
    return "mid_block.resnets.1." + replace_head(name.substr(15), resnet_names);
  }
  return replace_head(name, {{"middle_block.1.", "mid_block.attentions.0."},
                             {"time_embed.0.", "time_embedding.linear_1."},
                             {"time_embed.2.", "time_embedding.linear_2."},
                             {"out.0.", "conv_norm_out."},
                             {"out.2.", "conv_out."}});
}

std::string vae_name(std::string name, int64_t levels) {
  name = replace_part(name,
                      {{"mid.block_1.", "mid_block.resnets.0."}, {"mid.block_2.", "mid_block.resnets.1."}});
  name = replace_part(name, {{"mid.attn_1.norm.", "mid_block.attentions.0.group_norm."},
                             {"mid.attn_1.q.", "mid_block.attentions.0.to_q."},
                             {"mid.attn_1.k.", "mid_block.attentions.0.to_k."},
                             {"mid.attn_1.v.", "mid_block.attentions.0.to_v."},
                             {"mid.attn_1.proj_out.", "mid_block.attentions.0.to_out.0."}});
  name = replace_part(name, {{"nin_shortcut.", "conv_shortcut."}, {"norm_out.", "conv_norm_out."}});
  for (const auto& [from, to] :
       Pairs{{"encoder.down.", "encoder.down_blocks."}, {"decoder.up.", "decoder.up_blocks."}}) {
    if (!name.starts_with(from)) continue;
    const auto index = split_index(name.substr(from.size()));
    if (!index) break;
    // The decoder's levels are numbered from the picture, diffusers' from the latents.
    const int64_t level = from == "decoder.up." ? levels - 1 - index->first : index->first;
    name = to + std::to_string(level) + "." +
           replace_head(
               index->second,
               {{"block.", "resnets."}, {"downsample.", "downsamplers.0."}, {"upsample.", "upsamplers.0."}});
  }
  return name;
}

/// 1x1 convolutions of the VAE's attention in old files are linear layers here.
at::Tensor as_linear(const std::string& name, const at::Tensor& tensor) {
  const bool attention = name.find("mid_block.attentions.0.to_") != std::string::npos;
  return attention && tensor.dim() == 4 ? tensor.flatten(1) : tensor;
}

}  // namespace

TensorMap canonical_names(TensorMap tensors, const std::string& part) {
  TensorMap renamed;
  for (auto& [old_name, tensor] : tensors) {
    std::string name = old_name;
    if (part == "text_encoder") {
      name = replace_head(name, {{"text_model.", ""}});
      if (name == "embeddings.position_ids" || name == "text_projection.weight" || name == "logit_scale")
        continue;
    } else {
      name = replace_part(name, {{"attentions.0.query.", "attentions.0.to_q."},
                                 {"attentions.0.key.", "attentions.0.to_k."},
                                 {"attentions.0.value.", "attentions.0.to_v."},
                                 {"attentions.0.proj_attn.", "attentions.0.to_out.0."}});
    }
    renamed.emplace(name, as_linear(name, tensor));
  }
  return renamed;
}

TensorMap ldm_tensors(TensorMap tensors, const std::filesystem::path& path) {
  TensorMap unwrapped;
  for (auto& [name, tensor] : tensors) unwrapped.emplace(replace_head(name, {{"state_dict.", ""}}), tensor);
  bool has_unet = false, open_clip = false, sdxl = false;
  for (const auto& [name, tensor] : unwrapped) {
    has_unet |= name.starts_with(unet_prefix);
    open_clip |= name.starts_with("cond_stage_model.model.");
    sdxl |= name.starts_with("conditioner.");
  }
  if (has_unet && !open_clip && !sdxl) return unwrapped;
  throw Error(
      ErrorKind::malformed,
      "not a Stable Diffusion 1.x checkpoint (" + path.string() + "): " +
          (sdxl        ? "it is an SDXL checkpoint"
           : open_clip ? "it is a Stable Diffusion 2.x checkpoint, which is read as a diffusers folder only"
                       : "it has no weights named model.diffusion_model.*"),
      has_unet ? "convert it to a diffusers folder" : "w2w inspect FILE says what it holds");
}

TensorMap ldm_part(const TensorMap& tensors, const std::string& part, const UNetConfig& config) {
  const std::string prefix = part == "unet" ? unet_prefix : part == "vae" ? vae_prefix : text_prefix;
  const auto levels = static_cast<int64_t>(sd15_vae_config().block_out_channels.size());
  TensorMap renamed;
  for (auto entry = tensors.lower_bound(prefix); entry != tensors.end() && entry->first.starts_with(prefix);
       ++entry) {
    const auto name = entry->first.substr(prefix.size());
    renamed.emplace(part == "unet"  ? unet_name(name, config)
                    : part == "vae" ? vae_name(name, levels)
                                    : name,
                    entry->second);
  }
  return renamed;
}

}  // namespace w2w
