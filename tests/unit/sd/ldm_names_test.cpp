#include "sd/ldm_names.h"

#include <gtest/gtest.h>

#include <set>

namespace w2w {
namespace {

void expect_pair(const NamePairs& pairs, const std::string& ldm, const std::string& diffusers) {
  EXPECT_EQ(from_ldm(ldm, pairs), diffusers);
  EXPECT_EQ(to_ldm(diffusers, pairs), ldm);
}

TEST(LdmNames, UNetBothWays) {
  const auto pairs = ldm_unet_names(sd15_unet_config());
  expect_pair(pairs, "time_embed.2.bias", "time_embedding.linear_2.bias");
  expect_pair(pairs, "input_blocks.0.0.weight", "conv_in.weight");
  expect_pair(pairs, "input_blocks.1.0.in_layers.2.weight", "down_blocks.0.resnets.0.conv1.weight");
  expect_pair(pairs, "input_blocks.3.0.op.weight", "down_blocks.0.downsamplers.0.conv.weight");
  expect_pair(pairs, "input_blocks.8.1.transformer_blocks.0.attn1.to_q.weight",
              "down_blocks.2.attentions.1.transformer_blocks.0.attn1.to_q.weight");
  expect_pair(pairs, "input_blocks.11.0.emb_layers.1.bias", "down_blocks.3.resnets.1.time_emb_proj.bias");
  expect_pair(pairs, "middle_block.1.proj_in.weight", "mid_block.attentions.0.proj_in.weight");
  expect_pair(pairs, "middle_block.2.out_layers.3.weight", "mid_block.resnets.1.conv2.weight");
  expect_pair(pairs, "output_blocks.2.1.conv.weight",
              "up_blocks.0.upsamplers.0.conv.weight");  // no attention there
  expect_pair(pairs, "output_blocks.5.2.conv.weight", "up_blocks.1.upsamplers.0.conv.weight");
  expect_pair(pairs, "output_blocks.11.0.skip_connection.bias", "up_blocks.3.resnets.2.conv_shortcut.bias");
  expect_pair(pairs, "out.2.weight", "conv_out.weight");
}

TEST(LdmNames, VaeBothWays) {
  const auto pairs = ldm_vae_names(sd15_vae_config());
  expect_pair(pairs, "encoder.down.1.block.0.nin_shortcut.weight",
              "encoder.down_blocks.1.resnets.0.conv_shortcut.weight");
  expect_pair(pairs, "decoder.up.3.upsample.conv.bias", "decoder.up_blocks.0.upsamplers.0.conv.bias");
  expect_pair(pairs, "decoder.mid.attn_1.proj_out.weight", "decoder.mid_block.attentions.0.to_out.0.weight");
  expect_pair(pairs, "decoder.mid.attn_1.norm.weight", "decoder.mid_block.attentions.0.group_norm.weight");
  expect_pair(pairs, "encoder.norm_out.bias", "encoder.conv_norm_out.bias");
  expect_pair(pairs, "post_quant_conv.weight", "post_quant_conv.weight");
}

TEST(LdmNames, NoBeginningIsOneOfAnother) {
  for (const auto& pairs : {ldm_unet_names(sd15_unet_config()), ldm_vae_names(sd15_vae_config())}) {
    for (size_t i = 0; i < pairs.size(); ++i) {
      for (size_t j = 0; j < pairs.size(); ++j) {
        if (i == j) continue;
        EXPECT_FALSE(pairs[i].first.starts_with(pairs[j].first)) << pairs[i].first;
        EXPECT_FALSE(pairs[i].second.starts_with(pairs[j].second)) << pairs[i].second;
      }
    }
  }
}

TEST(LdmNames, WeightsWithoutDotsStayApart) {
  const auto names = ldm_unet_weights(sd15_unet_config());
  std::set<std::string> flat;
  for (auto name : names) {
    std::erase(name, '.');
    EXPECT_TRUE(flat.insert(name).second) << name;
  }
  EXPECT_TRUE(flat.contains("input_blocks11transformer_blocks0attn1to_out0bias"));
  EXPECT_TRUE(flat.contains("output_blocks110skip_connectionweight"));
}

}  // namespace
}  // namespace w2w
