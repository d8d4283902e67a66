#pragma once
// The shapes of a Stable Diffusion 1.x or 2.x model, read from the config.json files of a diffusers folder.
// Defaults are those of the diffusers and transformers classes; a field with a value that these models do not
// use is refused by name.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace w2w {

struct UNetConfig {
  int64_t sample_size = 64;  ///< latents' side the model was trained at
  int64_t in_channels = 4, out_channels = 4;
  std::vector<bool> down_has_attention, up_has_attention;  ///< one entry per level
  std::vector<int64_t> block_out_channels;
  std::vector<int64_t> layers_per_block;  ///< per level, going down
  std::vector<int64_t> attention_heads;   ///< per level; "attention_head_dim" in the file, which means heads
  std::vector<int64_t> transformer_layers;  ///< per level
  int64_t cross_attention_dim = 768;
  int64_t norm_num_groups = 32;
  double norm_eps = 1e-5;
  bool use_linear_projection = false;
  bool flip_sin_to_cos = true;
  double freq_shift = 0;
};

struct VaeConfig {
  int64_t in_channels = 3, out_channels = 3, latent_channels = 4;
  std::vector<int64_t> block_out_channels;
  int64_t layers_per_block = 1;
  int64_t norm_num_groups = 32;
  double scaling_factor = 0.18215;
  bool use_quant_conv = true, use_post_quant_conv = true;

  /// Pixels per latent along a side.
  int64_t down_factor() const { return int64_t{1} << (block_out_channels.size() - 1); }
};

struct ClipTextConfig {
  int64_t vocab_size = 49408, hidden_size = 512, intermediate_size = 2048;
  int64_t num_hidden_layers = 12, num_attention_heads = 8, max_position_embeddings = 77;
  bool quick_gelu = true;  ///< otherwise the exact gelu
  double layer_norm_eps = 1e-5;
};

/// Each reads one config.json. Error(not_found) without the file, Error(malformed) naming the field that does
/// not fit.
UNetConfig read_unet_config(const std::filesystem::path& path);
VaeConfig read_vae_config(const std::filesystem::path& path);
ClipTextConfig read_clip_text_config(const std::filesystem::path& path);

/// Stable Diffusion 1.5, for single-file checkpoints, which carry no config.
UNetConfig sd15_unet_config();
VaeConfig sd15_vae_config();
ClipTextConfig sd15_clip_text_config();

}  // namespace w2w
