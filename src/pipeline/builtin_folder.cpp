// Stable Diffusion 1.x as a diffusers folder, from a file that carries weights only.

#include <array>
#include <nlohmann/json.hpp>

#include "pipeline/model_folder.h"
#include "sd/weight_files.h"
#include "text/vocabulary.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/run.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::vector<std::string> block_types(const std::vector<bool>& attention, const std::string& way) {
  std::vector<std::string> types;
  for (const bool with : attention) types.push_back((with ? "CrossAttn" : "") + way + "Block2D");
  return types;
}

Json model_index() {
  return {{"_class_name", "StableDiffusionPipeline"},
          {"feature_extractor", {nullptr, nullptr}},
          {"requires_safety_checker", false},
          {"safety_checker", {nullptr, nullptr}},
          {"scheduler", {"diffusers", "PNDMScheduler"}},
          {"text_encoder", {"transformers", "CLIPTextModel"}},
          {"tokenizer", {"transformers", "CLIPTokenizer"}},
          {"unet", {"diffusers", "UNet2DConditionModel"}},
          {"vae", {"diffusers", "AutoencoderKL"}}};
}

Json unet_json(const UNetConfig& config) {
  return {{"_class_name", "UNet2DConditionModel"},
          {"act_fn", "silu"},
          {"attention_head_dim", config.attention_heads.front()},
          {"block_out_channels", config.block_out_channels},
          {"center_input_sample", false},
          {"cross_attention_dim", config.cross_attention_dim},
          {"down_block_types", block_types(config.down_has_attention, "Down")},
          {"downsample_padding", 1},
          {"flip_sin_to_cos", config.flip_sin_to_cos},
          {"freq_shift", 0},
          {"in_channels", config.in_channels},
          {"layers_per_block", config.layers_per_block.front()},
          {"mid_block_scale_factor", 1},
          {"norm_eps", config.norm_eps},
          {"norm_num_groups", config.norm_num_groups},
          {"out_channels", config.out_channels},
          {"sample_size", config.sample_size},
          {"up_block_types", block_types(config.up_has_attention, "Up")}};
}

Json vae_json(const VaeConfig& config) {
  const auto levels = config.block_out_channels.size();
  return {{"_class_name", "AutoencoderKL"},
          {"act_fn", "silu"},
          {"block_out_channels", config.block_out_channels},
          {"down_block_types", std::vector<std::string>(levels, "DownEncoderBlock2D")},
          {"in_channels", config.in_channels},
          {"latent_channels", config.latent_channels},
          {"layers_per_block", config.layers_per_block},
          {"norm_num_groups", config.norm_num_groups},
          {"out_channels", config.out_channels},
          {"sample_size", 512},
          {"scaling_factor", config.scaling_factor},
          {"use_quant_conv", config.use_quant_conv},
          {"use_post_quant_conv", config.use_post_quant_conv},
          {"up_block_types", std::vector<std::string>(levels, "UpDecoderBlock2D")}};
}

Json text_encoder_json(const ClipTextConfig& config) {
  return {{"architectures", {"CLIPTextModel"}},
          {"bos_token_id", config.vocab_size - 2},
          {"eos_token_id", config.vocab_size - 1},
          {"hidden_act", config.quick_gelu ? "quick_gelu" : "gelu"},
          {"hidden_size", config.hidden_size},
          {"intermediate_size", config.intermediate_size},
          {"layer_norm_eps", config.layer_norm_eps},
          {"max_position_embeddings", config.max_position_embeddings},
          {"model_type", "clip_text_model"},
          {"num_attention_heads", config.num_attention_heads},
          {"num_hidden_layers", config.num_hidden_layers},
          {"pad_token_id", 1},
          {"projection_dim", 768},
          {"vocab_size", config.vocab_size}};
}

/// What read_scheduler_config gives for a single file, spelt as diffusers does.
Json scheduler_json() {
  return {{"_class_name", "PNDMScheduler"},
          {"beta_end", 0.012},
          {"beta_schedule", "scaled_linear"},
          {"beta_start", 0.00085},
          {"clip_sample", false},
          {"num_train_timesteps", 1000},
          {"prediction_type", "epsilon"},
          {"set_alpha_to_one", false},
          {"skip_prk_steps", true},
          {"steps_offset", 1},
          {"trained_betas", nullptr}};
}

Json special_tokens() {
  const char* const end = "<|endoftext|>";
  return {{"bos_token", "<|startoftext|>"}, {"eos_token", end}, {"pad_token", end}, {"unk_token", end}};
}

void write_json(const fs::path& path, const Json& json) { write_file(path, json.dump(2) + "\n"); }

void write_tokenizer(const fs::path& folder, const ClipTextConfig& config) {
  const auto merges = builtin_merges();
  const auto vocabulary = builtin_vocabulary(merges);
  Json ids = Json::object();
  for (size_t id = 0; id < vocabulary.pieces.size(); ++id) ids[vocabulary.pieces[id]] = id;
  write_file(folder / "vocab.json", ids.dump() + "\n");
  write_file(folder / "merges.txt", "#version: 0.2\n" + merges);
  write_json(folder / "special_tokens_map.json", special_tokens());
  auto tokenizer = special_tokens();
  tokenizer.update({{"add_prefix_space", false},
                    {"do_lower_case", true},
                    {"errors", "replace"},
                    {"model_max_length", config.max_position_embeddings},
                    {"tokenizer_class", "CLIPTokenizer"}});
  write_json(folder / "tokenizer_config.json", tokenizer);
}

}  // namespace

void write_builtin_config(const Checkpoint& model, const std::string& part, const fs::path& folder) {
  write_json(folder / "config.json", part == "unet"  ? unet_json(model.unet_config())
                                     : part == "vae" ? vae_json(model.vae_config())
                                                     : text_encoder_json(model.text_config()));
}

TensorMap saved_part(const Checkpoint& model, const std::string& part) {
  if (part != "text_encoder") return model.part(part);
  TensorMap tensors;  // transformers before version 5 knows them with this beginning only
  for (const auto& [name, tensor] : model.part(part)) tensors.emplace("text_model." + name, tensor);
  return tensors;
}

void write_builtin_folder(const Checkpoint& model, const TensorMap& changed,
                          std::optional<at::ScalarType> dtype, const fs::path& folder, const Run& run) {
  for (const char* part : {"unet", "vae", "text_encoder", "tokenizer", "scheduler"})
    fs::create_directory(folder / part);
  write_json(folder / "model_index.json", model_index());
  write_json(folder / "scheduler" / "scheduler_config.json", scheduler_json());
  write_tokenizer(folder / "tokenizer", model.text_config());
  for (const std::string part : {"unet", "vae", "text_encoder"}) {
    run.check_stop();
    write_builtin_config(model, part, folder / part);
    auto tensors = saved_part(model, part);
    if (part == "unet") {
      for (const auto& [name, weight] : changed) tensors.at(name) = weight;
    }
    write_safetensors(folder / part / weight_file_name(part), in_dtype(std::move(tensors), dtype),
                      {{"format", "pt"}});
  }
}

}  // namespace w2w
