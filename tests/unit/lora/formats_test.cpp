#include "w2w/lora/formats.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/generator.h"
#include "w2w/io/tensor_file.h"
#include "w2w/lora/algebra.h"

namespace w2w {
namespace {

// Underscores inside names: only the module list tells "down_blocks_0_attn1_to_q" from its relatives.
const Targets modules = {{"down_blocks.0.attn1.to_q", 6, 6},
                         {"down_blocks.0.attn1.to_out.0", 6, 6},
                         {"mid_block.attn2.to_v", 5, 7}};

Lora sample_lora(double scale = 27, int64_t rank = 1) {
  Generator random(1);
  Lora lora;
  for (const auto& target : modules) {
    lora[target.module] = {random.randn({rank, target.in}), random.randn({target.out, rank}), scale};
  }
  return lora;
}

LoraFileOptions f32_options() {
  LoraFileOptions options;
  options.dtype = at::kFloat;
  options.name = "person-7";
  return options;
}

void expect_same_change(const Lora& a, const Lora& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [module, factors] : a) {
    const auto difference = (delta(factors) - delta(b.at(module))).abs().max().item<double>();
    EXPECT_LT(difference, 1e-5) << module;
  }
}

/// Pairs of every module under the given spelling of the part after the module's name.
TensorMap spelt(const std::string& prefix, const std::string& down, const std::string& up) {
  TensorMap tensors;
  for (const auto& [module, factors] : sample_lora(1)) {
    tensors[prefix + module + down] = factors.down;
    tensors[prefix + module + up] = factors.up;
  }
  return tensors;
}

TEST(ReadLora, UnderstandsEverySpelling) {
  test::TemporaryFolder folder;
  const std::pair<const char*, TensorMap> files[] = {
      {"diffusers", spelt("unet.", ".lora_A.weight", ".lora_B.weight")},
      {"adapter name", spelt("unet.", ".lora_A.identity1.weight", ".lora_B.identity1.weight")},
      {"bare", spelt("", ".lora_A.default.weight", ".lora_B.default.weight")},
      {"before PEFT", spelt("unet.", ".lora.down.weight", ".lora.up.weight")},
  };
  for (const auto& [name, tensors] : files) {
    SCOPED_TRACE(name);
    write_safetensors(folder / "lora.safetensors", tensors, {});
    expect_same_change(read_lora(folder / "lora.safetensors", modules), sample_lora(1));
  }
}

TEST(ReadLora, UnderstandsAttentionProcessors) {
  test::TemporaryFolder folder;
  TensorMap tensors;
  for (const auto& [key, module] :
       {std::pair{"down_blocks.0.attn1.processor.to_q_lora", "down_blocks.0.attn1.to_q"},
        std::pair{"down_blocks.0.attn1.processor.to_out_lora", "down_blocks.0.attn1.to_out.0"},
        std::pair{"mid_block.attn2.processor.to_v_lora", "mid_block.attn2.to_v"}}) {
    tensors[std::string("unet.") + key + ".down.weight"] = sample_lora(1).at(module).down;
    tensors[std::string("unet.") + key + ".up.weight"] = sample_lora(1).at(module).up;
  }
  write_safetensors(folder / "lora.safetensors", tensors, {});
  expect_same_change(read_lora(folder / "lora.safetensors", modules), sample_lora(1));
}

TEST(ReadLora, TakesTheScaleFromAlpha) {
  test::TemporaryFolder folder;
  TensorMap tensors = {
      {"lora_unet_mid_block_attn2_to_v.lora_down.weight", Generator(1).randn({4, 5}).to(at::kBFloat16)},
      {"lora_unet_mid_block_attn2_to_v.lora_up.weight", Generator(2).randn({7, 4}).to(at::kHalf)},
      {"lora_unet_mid_block_attn2_to_v.alpha", at::full({}, 2.0)}};
  write_safetensors(folder / "lora.safetensors", tensors, {});
  const auto lora = read_lora(folder / "lora.safetensors", modules);
  ASSERT_EQ(lora.size(), 1U);
  const auto& factors = lora.at("mid_block.attn2.to_v");
  EXPECT_EQ(factors.scale, 0.5);
  EXPECT_EQ(factors.rank(), 4);
  EXPECT_EQ(factors.down.scalar_type(), at::kFloat);
  EXPECT_TRUE(factors.up.equal(Generator(2).randn({7, 4}).to(at::kHalf).to(at::kFloat)));
}

TEST(ReadLora, TakesTheScaleFromAdapterConfig) {
  test::TemporaryFolder folder;
  TensorMap tensors;
  for (const auto& [module, factors] : sample_lora(1, 4)) {
    tensors["base_model.model." + module + ".lora_A.weight"] = factors.down;
    tensors["base_model.model." + module + ".lora_B.weight"] = factors.up;
  }
  write_safetensors(folder / "adapter_model.safetensors", tensors, {});
  const auto scale_with = [&](const std::string& config) {
    write_file(folder / "adapter_config.json", config);
    return read_lora(folder.path(), modules).at("mid_block.attn2.to_v").scale;
  };
  EXPECT_EQ(scale_with(R"({"peft_type": "LORA", "r": 4, "lora_alpha": 27, "alpha_pattern": null})"), 6.75);
  EXPECT_EQ(scale_with(R"({"r": 4, "lora_alpha": 27, "use_rslora": true})"), 13.5);
  EXPECT_EQ(scale_with(R"({"r": 4, "lora_alpha": 27, "alpha_pattern": {"attn2.to_v": 2}})"), 0.5);
  EXPECT_EQ(
      scale_with(R"({"r": 8, "lora_alpha": 27, "rank_pattern": {"to_v": 4, "to_q": 4, "to_out.0": 4}})"),
      6.75);
  test::expect_error(ErrorKind::malformed,
                     "expected rank 8 for down_blocks.0.attn1.to_q, found factors of rank 4",
                     [&] { scale_with(R"({"r": 8})"); });
  test::expect_error(ErrorKind::malformed, "expected plain LoRA, found peft_type LORA with use_dora",
                     [&] { scale_with(R"({"r": 4, "use_dora": true})"); });
  test::expect_error(ErrorKind::malformed, "expected plain LoRA, found peft_type LOHA",
                     [&] { scale_with(R"({"r": 4, "peft_type": "LOHA"})"); });
  test::expect_error(ErrorKind::malformed, "expected a regular expression of module names, found 'to_(q'",
                     [&] { scale_with(R"({"r": 4, "rank_pattern": {"to_(q": 4}})"); });
  for (const char* broken : {"", "{", "[1]", "7", R"({"r": "four"})", R"({"alpha_pattern": [1]})"}) {
    test::expect_error(ErrorKind::malformed, "is not a LoRA configuration", [&] { scale_with(broken); });
  }
  std::filesystem::remove(folder / "adapter_config.json");
  test::expect_error(ErrorKind::malformed, "adapter_config.json beside it: there is none",
                     [&] { read_lora(folder.path(), modules); });
}

TEST(ReadLora, TakesTheScaleFromTheHeader) {
  test::TemporaryFolder folder;
  write_safetensors(
      folder / "pytorch_lora_weights.safetensors", spelt("unet.", ".lora_A.weight", ".lora_B.weight"),
      {{"lora_adapter_metadata", R"({"unet.r": 1, "unet.lora_alpha": 27, "text_encoder.r": 64})"}});
  EXPECT_EQ(read_lora(folder.path(), modules).at("mid_block.attn2.to_v").scale, 27);
}

struct BadFile {
  const char* name;
  std::vector<std::pair<std::string, at::Tensor>> changes;  // an undefined tensor removes the key
  const char* message;
  const char* hint;
};

class ReadLoraRefuses : public testing::TestWithParam<BadFile> {};

TEST_P(ReadLoraRefuses, NamingTheKey) {
  test::TemporaryFolder folder;
  auto tensors = spelt("unet.", ".lora_A.weight", ".lora_B.weight");
  for (const auto& [key, tensor] : GetParam().changes) {
    tensors.erase(key);
    if (tensor.defined()) tensors[key] = tensor;
  }
  write_safetensors(folder / "x.safetensors", tensors, {});
  test::expect_error(
      ErrorKind::malformed, GetParam().message, [&] { read_lora(folder / "x.safetensors", modules); },
      GetParam().hint);
}

const std::string to_v = "unet.mid_block.attn2.to_v.";
INSTANTIATE_TEST_SUITE_P(
    Table, ReadLoraRefuses,
    testing::Values(
        BadFile{"NoUp",
                {{to_v + "lora_B.weight", {}}},
                "module mid_block.attn2.to_v: expected a pair of factors, found no up factor",
                ""},
        BadFile{"NoDown", {{to_v + "lora_A.weight", {}}}, "found no down factor", ""},
        BadFile{"WrongIn",
                {{to_v + "lora_A.weight", at::full({1, 6}, 1.0)}},
                "expected down [r, 5] and up [7, r], found down [1, 6] and up [7, 1]",
                ""},
        BadFile{"WrongOut",
                {{to_v + "lora_B.weight", at::full({6, 1}, 1.0)}},
                "found down [1, 5] and up [6, 1]",
                ""},
        BadFile{"RanksDiffer",
                {{to_v + "lora_A.weight", at::full({2, 5}, 1.0)}},
                "found down [2, 5] and up [7, 1]",
                ""},
        BadFile{"RankZero",
                {{to_v + "lora_A.weight", at::full({0, 5}, 1.0)},
                 {to_v + "lora_B.weight", at::full({7, 0}, 1.0)}},
                "found down [0, 5] and up [7, 0]",
                ""},
        BadFile{"OneDimension",
                {{to_v + "lora_A.weight", at::full({5}, 1.0)}},
                "found down [5] and up [7, 1]",
                ""},
        BadFile{"Integers",
                {{to_v + "lora_A.weight", at::full({1, 5}, 1, at::kLong)}},
                "expected floating-point factors",
                ""},
        BadFile{"NotFinite",
                {{to_v + "lora_A.weight", at::full({1, 5}, NAN)}},
                "module mid_block.attn2.to_v: holds values that are not finite",
                ""},
        BadFile{"AlphaVector",
                {{to_v + "alpha", at::full({2}, 1.0)}},
                "expected one value as alpha, found [2]",
                ""},
        BadFile{"TwoAdapters",
                {{to_v + "lora_A.other.weight", at::full({1, 5}, 1.0)}},
                "holds two adapters: ",
                ""},
        BadFile{
            "UnknownModule",
            {{"unet.mid_block.attn2.to_k.lora_A.weight", at::full({1, 5}, 1.0)}},
            "1 of 7 tensors belong to no layer that can be changed: unet.mid_block.attn2.to_k.lora_A.weight",
            "did you mean 'mid_block.attn2.to_v'?"},
        BadFile{"Coefficients",
                {{"coefficients", at::full({9}, 1.0)}},
                "coefficients",
                "expected pairs of low-rank factors"},
        BadFile{"TextEncoder",
                {{"lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight",
                  at::full({1, 5}, 1.0)}},
                "lora_te_text_model",
                "it also changes the text encoder"},
        BadFile{"LoHa",
                {{"lora_unet_mid_block_attn2_to_v.hada_w1_a", at::full({1, 5}, 1.0)}},
                "it is a LoHa (LyCORIS)",
                "w2w reads plain LoRA only"}),
    [](const auto& row) { return row.param.name; });

TEST(ReadLora, SaysWhatAFolderShouldHold) {
  test::TemporaryFolder folder;
  test::expect_error(ErrorKind::not_found, "no such LoRA", [&] { read_lora(folder / "none", modules); });
  test::expect_error(ErrorKind::not_found, "expected one of: adapter_model.safetensors, ",
                     [&] { read_lora(folder.path(), modules); });
  EXPECT_FALSE(is_lora_folder(folder.path()));
}

TEST(WriteLora, EveryFormatReadsBackExactly) {
  test::TemporaryFolder folder;
  const auto lora = sample_lora();
  write_kohya(folder / "k.safetensors", lora, f32_options());
  write_diffusers(folder / "pytorch_lora_weights.safetensors", lora, f32_options());
  write_peft(folder / "peft", lora, f32_options());
  for (const auto& path : {folder / "k.safetensors", folder.path(), folder / "peft"}) {
    SCOPED_TRACE(path);
    const auto read = read_lora(path, modules);
    const auto& expected = path == folder / "peft" ? lora : folded(lora);
    for (const auto& [module, factors] : expected) {
      EXPECT_EQ(read.at(module).scale, factors.scale);
      EXPECT_TRUE(read.at(module).down.equal(factors.down));
      EXPECT_TRUE(read.at(module).up.equal(factors.up));
    }
  }
}

TEST(WriteLora, APeftFolderIsReplacedWholeAndNeverOneOfOtherThings) {
  test::TemporaryFolder folder;
  write_peft(folder / "peft", sample_lora(), f32_options());
  write_file(folder / "peft/README.md", "made by PEFT");
  write_peft(folder / "peft", sample_lora(), f32_options());
  EXPECT_FALSE(std::filesystem::exists(folder / "peft/README.md"));
  test::expect_error(ErrorKind::failure, "the output exists already",
                     [&] { write_peft(OutputPath(folder / "peft", false), sample_lora(), f32_options()); });
  write_file(folder / "peft/1.jpg", "mine");
  test::expect_error(
      ErrorKind::failure, "holds other files",
      [&] { write_peft(folder / "peft", sample_lora(), f32_options()); }, "only LoRA folders are replaced");
  EXPECT_EQ(test::read_bytes(folder / "peft/1.jpg"), "mine");
}

TEST(WriteLora, PeftOfMixedRanksUsesPatterns) {
  test::TemporaryFolder folder;
  auto lora = sample_lora(3);
  lora["mid_block.attn2.to_v"] = sample_lora(2, 4).at("mid_block.attn2.to_v");
  write_peft(folder / "peft", lora, f32_options());
  expect_same_change(read_lora(folder / "peft", modules), lora);
}

TEST(WriteKohya, HoldsTheMetadataOfDocsFormats) {
  test::TemporaryFolder folder;
  auto options = f32_options();
  options.metadata["w2w.space"] = "abc";
  write_kohya(folder / "k.safetensors", sample_lora(), options);
  const auto file = read_safetensors(folder / "k.safetensors");
  const auto hash = safetensors_payload_sha256(file.tensors);
  const Metadata expected = {{"ss_v2", "False"},
                             {"ss_network_module", "networks.lora"},
                             {"ss_network_dim", "1"},
                             {"ss_network_alpha", "1.0"},
                             {"ss_network_args", "{}"},
                             {"ss_output_name", "person-7"},
                             {"modelspec.sai_model_spec", "1.0.1"},
                             {"modelspec.architecture", "unknown/lora"},
                             {"modelspec.implementation", "diffusers"},
                             {"modelspec.title", "person-7"},
                             {"modelspec.trigger_phrase", "sks person"},
                             {"modelspec.hash_sha256", "0x" + hash},
                             {"sshs_model_hash", hash},
                             {"w2w.space", "abc"}};
  EXPECT_EQ(file.metadata, expected);
  EXPECT_EQ(file.tensors.size(), 2 * modules.size());  // no .alpha
  EXPECT_TRUE(file.tensors.contains("lora_unet_down_blocks_0_attn1_to_out_0.lora_up.weight"));
  options.date = 1700000000;
  write_kohya(folder / "dated.safetensors", sample_lora(), options);
  EXPECT_EQ(read_safetensors(folder / "dated.safetensors").metadata["modelspec.date"],
            "2023-11-14T22:13:20Z");
}

TEST(WriteLora, IsDeterministicAndHalfByDefault) {
  test::TemporaryFolder folder;
  for (const char* name : {"a", "b"}) write_kohya(folder / name, sample_lora(), {});
  EXPECT_EQ(test::read_bytes(folder / "a"), test::read_bytes(folder / "b"));
  for (const auto& [name, tensor] : read_safetensors(folder / "a").tensors)
    EXPECT_EQ(tensor.scalar_type(), at::kHalf);
}

TEST(WriteLora, RefusesWhatAFileCannotHold) {
  test::TemporaryFolder folder;
  test::expect_error(
      ErrorKind::failure,
      "values of lora_unet_down_blocks_0_attn1_to_out_0.lora_up.weight are out of range for f16",
      [&] { write_kohya(folder / "x", sample_lora(1e9), {}); });
  test::expect_error(ErrorKind::failure, "without any matrices", [&] { write_kohya(folder / "x", {}, {}); });
  LoraFileOptions integers;
  integers.dtype = at::kInt;
  test::expect_error(ErrorKind::usage, "not i32",
                     [&] { write_diffusers(folder / "x", sample_lora(), integers); });
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace w2w
