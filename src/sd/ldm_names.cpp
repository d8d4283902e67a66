#include "sd/ldm_names.h"

#include <fmt/format.h>

#include <algorithm>

namespace w2w {
namespace {

const NamePairs unet_resnet = {{"in_layers.0.", "norm1."},          {"in_layers.2.", "conv1."},
                               {"emb_layers.1.", "time_emb_proj."}, {"out_layers.0.", "norm2."},
                               {"out_layers.3.", "conv2."},         {"skip_connection.", "conv_shortcut."}};
const NamePairs vae_resnet = {{"norm1.", "norm1."},
                              {"conv1.", "conv1."},
                              {"norm2.", "norm2."},
                              {"conv2.", "conv2."},
                              {"nin_shortcut.", "conv_shortcut."}};
const NamePairs vae_attention = {
    {"norm.", "group_norm."}, {"q.", "to_q."}, {"k.", "to_k."}, {"v.", "to_v."}, {"proj_out.", "to_out.0."}};

void add_members(NamePairs& pairs, const std::string& ldm, const std::string& diffusers,
                 const NamePairs& members) {
  for (const auto& [there, here] : members) pairs.emplace_back(ldm + there, diffusers + here);
}

}  // namespace

/// Blocks are numbered through all levels: going down, a level's layers and then its downsampler; going up,
/// one layer more, and the upsampler is the last part of the last of them.
NamePairs ldm_unet_names(const UNetConfig& config) {
  NamePairs pairs = {{"time_embed.0.", "time_embedding.linear_1."},
                     {"time_embed.2.", "time_embedding.linear_2."},
                     {"input_blocks.0.0.", "conv_in."},
                     {"middle_block.1.", "mid_block.attentions.0."},
                     {"out.0.", "conv_norm_out."},
                     {"out.2.", "conv_out."}};
  add_members(pairs, "middle_block.0.", "mid_block.resnets.0.", unet_resnet);
  add_members(pairs, "middle_block.2.", "mid_block.resnets.1.", unet_resnet);
  const auto layer = [&](const std::string& block, const std::string& level, int64_t index) {
    add_members(pairs, block + ".0.", fmt::format("{}.resnets.{}.", level, index), unet_resnet);
    pairs.emplace_back(block + ".1.norm.", fmt::format("{}.attentions.{}.norm.", level, index));
    pairs.emplace_back(block + ".1.proj_", fmt::format("{}.attentions.{}.proj_", level, index));
    pairs.emplace_back(block + ".1.transformer_blocks.",
                       fmt::format("{}.attentions.{}.transformer_blocks.", level, index));
  };
  const size_t levels = config.block_out_channels.size();
  int64_t block = 1;
  for (size_t level = 0; level < levels; ++level) {
    const auto name = fmt::format("down_blocks.{}", level);
    for (int64_t i = 0; i < config.layers_per_block[level]; ++i) {
      layer(fmt::format("input_blocks.{}", block++), name, i);
    }
    if (level + 1 < levels) {
      pairs.emplace_back(fmt::format("input_blocks.{}.0.op.", block++), name + ".downsamplers.0.conv.");
    }
  }
  block = 0;
  for (size_t index = 0; index < levels; ++index) {
    const auto name = fmt::format("up_blocks.{}", index);
    for (int64_t i = 0; i <= config.layers_per_block[levels - 1 - index]; ++i) {
      layer(fmt::format("output_blocks.{}", block++), name, i);
    }
    if (index + 1 < levels) {
      const int slot = config.up_has_attention[index] ? 2 : 1;
      pairs.emplace_back(fmt::format("output_blocks.{}.{}.conv.", block - 1, slot),
                         name + ".upsamplers.0.conv.");
    }
  }
  return pairs;
}

std::vector<std::string> ldm_unet_weights(const UNetConfig& config) {
  std::vector<std::string> members;  // of a transformer block
  for (const char* layer :
       {"norm1", "norm2", "norm3", "attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0", "attn2.to_q",
        "attn2.to_k", "attn2.to_v", "attn2.to_out.0", "ff.net.0.proj", "ff.net.2"})
    members.emplace_back(layer);
  const auto depth = *std::max_element(config.transformer_layers.begin(), config.transformer_layers.end());
  std::vector<std::string> names;
  const auto add = [&](const std::string& module) {
    names.push_back(module + "weight");
    names.push_back(module + "bias");
  };
  const auto add_transformers = [&](const std::string& head) {
    for (int64_t i = 0; i < depth; ++i) {
      for (const auto& member : members) add(fmt::format("{}{}.{}.", head, i, member));
    }
  };
  for (const auto& [ldm, diffusers] : ldm_unet_names(config)) {
    if (ldm.ends_with(".transformer_blocks.")) {
      add_transformers(ldm);
    } else if (ldm.ends_with(".proj_")) {
      for (const char* side : {"in.", "out."}) add(ldm + side);
    } else if (ldm == "middle_block.1.") {
      for (const char* layer : {"norm.", "proj_in.", "proj_out."}) add(ldm + layer);
      add_transformers(ldm + "transformer_blocks.");
    } else {
      add(ldm);
    }
  }
  return names;
}

/// The decoder's levels are numbered from the picture, diffusers' from the latents.
NamePairs ldm_vae_names(const VaeConfig& config) {
  NamePairs pairs;
  const auto levels = static_cast<int64_t>(config.block_out_channels.size());
  for (const std::string half : {"encoder.", "decoder."}) {
    add_members(pairs, half + "mid.block_1.", half + "mid_block.resnets.0.", vae_resnet);
    add_members(pairs, half + "mid.block_2.", half + "mid_block.resnets.1.", vae_resnet);
    add_members(pairs, half + "mid.attn_1.", half + "mid_block.attentions.0.", vae_attention);
    pairs.emplace_back(half + "norm_out.", half + "conv_norm_out.");
  }
  for (int64_t level = 0; level < levels; ++level) {
    const auto down = fmt::format("encoder.down.{}.", level),
               down_block = fmt::format("encoder.down_blocks.{}.", level);
    const auto up = fmt::format("decoder.up.{}.", levels - 1 - level),
               up_block = fmt::format("decoder.up_blocks.{}.", level);
    for (int64_t i = 0; i <= config.layers_per_block; ++i) {
      add_members(pairs, fmt::format("{}block.{}.", down, i), fmt::format("{}resnets.{}.", down_block, i),
                  vae_resnet);
      add_members(pairs, fmt::format("{}block.{}.", up, i), fmt::format("{}resnets.{}.", up_block, i),
                  vae_resnet);
    }
    pairs.emplace_back(down + "downsample.", down_block + "downsamplers.0.");
    pairs.emplace_back(up + "upsample.", up_block + "upsamplers.0.");
  }
  return pairs;
}

std::string from_ldm(const std::string& name, const NamePairs& pairs) {
  for (const auto& [ldm, diffusers] : pairs) {
    if (name.starts_with(ldm)) return diffusers + name.substr(ldm.size());
  }
  return name;
}

std::string to_ldm(const std::string& name, const NamePairs& pairs) {
  for (const auto& [ldm, diffusers] : pairs) {
    if (name.starts_with(diffusers)) return ldm + name.substr(diffusers.size());
  }
  return name;
}

}  // namespace w2w
