#include "w2w/lora/model_family.h"

#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "support/temporary_folder.h"
#include "w2w/io/tensor_file.h"
#include "w2w/lora/formats.h"

namespace w2w {
namespace {

Factors factors(int64_t in, int64_t out) { return {at::ones({1, in}), at::ones({out, 1}), 1.0}; }

const std::string block = ".transformer_blocks.0.";

/// Layers of Stable Diffusion 1 or 2, as diffusers' UNet2DConditionModel names them.
Lora stable_diffusion(int64_t text_width) {
  return {{"down_blocks.0.attentions.1" + block + "attn1.to_q", factors(320, 320)},
          {"down_blocks.2.attentions.0" + block + "ff.net.0.proj", factors(1280, 10240)},
          {"mid_block.attentions.0" + block + "attn1.to_out.0", factors(1280, 1280)},
          {"up_blocks.1.attentions.2" + block + "attn2.to_v", factors(text_width, 1280)},
          {"up_blocks.3.attentions.2" + block + "ff.net.2", factors(1280, 320)},
          {"time_embedding.linear_1", factors(320, 1280)}};
}

Lora demo() {
  return {{"down_blocks.1.attentions.0" + block + "attn2.to_v", factors(64, 96)},
          {"up_blocks.2.attentions.1" + block + "attn1.to_q", factors(64, 64)}};
}

Metadata metadata_of(const Lora& lora, const LoraModel& model = {}) {
  const test::TemporaryFolder folder;
  LoraFileOptions options;
  options.model = model;
  write_kohya(folder / "x.safetensors", lora, options);
  return read_safetensors(folder / "x.safetensors").metadata;
}

/// architecture, version, resolution, ss_v2; "-" for a key that is not there
std::vector<std::string> claims(const Lora& lora, const LoraModel& model = {}) {
  const auto metadata = metadata_of(lora, model);
  std::vector<std::string> values;
  for (const char* key :
       {"modelspec.architecture", "ss_base_model_version", "modelspec.resolution", "ss_v2"}) {
    const auto found = metadata.find(key);
    values.push_back(found == metadata.end() ? "-" : found->second);
  }
  return values;
}

using Claims = std::vector<std::string>;

TEST(ModelFamily, IsToldByNamesAndShapes) {
  EXPECT_EQ(family_of(stable_diffusion(768)), ModelFamily::stable_diffusion_1);
  EXPECT_EQ(family_of(stable_diffusion(1024)), ModelFamily::stable_diffusion_2);
  EXPECT_EQ(family_of(stable_diffusion(2048)), ModelFamily::other);
  EXPECT_EQ(family_of(demo()), ModelFamily::demo);
  EXPECT_EQ(family_of({}), ModelFamily::other);
  EXPECT_EQ(family_of({{"time_embedding.linear_1", factors(320, 1280)}}), ModelFamily::other);
}

TEST(ModelFamily, OneLayerThatTheFamilyHasNotMakesItAnother) {
  for (const char* name : {"down_blocks.3.attentions.0", "up_blocks.1.attentions.3",
                           "up_blocks.0.attentions.0", "mid_block.attentions.1"}) {
    auto lora = stable_diffusion(768);
    lora[name + block + "attn1.to_q"] = factors(1280, 1280);
    EXPECT_EQ(family_of(lora), ModelFamily::other) << name;
  }
  auto deeper = stable_diffusion(768);
  deeper["down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_q"] = factors(640, 640);
  EXPECT_EQ(family_of(deeper), ModelFamily::other);
}

TEST(ModelFamily, TheModelDecidesWhatTheLayersLeaveOpen) {
  const Lora both = {{"mid_block.attentions.0" + block + "attn1.to_q", factors(1280, 1280)}};
  EXPECT_EQ(family_of(both), ModelFamily::stable_diffusion_1);
  EXPECT_EQ(family_of(both, {.text_width = 1024}), ModelFamily::stable_diffusion_2);
  EXPECT_EQ(family_of(both, {.text_width = 512}), ModelFamily::other);
}

TEST(WriteKohya, ClaimsTheModelThatTheLoraFits) {
  EXPECT_EQ(claims(stable_diffusion(768)), (Claims{"stable-diffusion-v1/lora", "sd_v1", "512x512", "False"}));
  EXPECT_EQ(claims(stable_diffusion(768), {.width = 768, .height = 512}),
            (Claims{"stable-diffusion-v1/lora", "sd_v1", "768x512", "False"}));
  EXPECT_EQ(claims(stable_diffusion(1024)), (Claims{"stable-diffusion-v2/lora", "sd_v2", "-", "True"}));
  EXPECT_EQ(claims(stable_diffusion(1024), {.width = 512, .height = 512, .prediction = "epsilon"}),
            (Claims{"stable-diffusion-v2-512/lora", "sd_v2", "512x512", "True"}));
  EXPECT_EQ(claims(stable_diffusion(1024), {.width = 768, .height = 768, .prediction = "v_prediction"}),
            (Claims{"stable-diffusion-v2-768-v/lora", "sd_v2_v", "768x768", "True"}));
  EXPECT_EQ(claims(demo(), {.width = 64, .height = 64}), (Claims{"w2w-demo/lora", "-", "64x64", "False"}));
  EXPECT_EQ(claims(stable_diffusion(2048)), (Claims{"unknown/lora", "-", "-", "False"}));
}

}  // namespace
}  // namespace w2w
