#include "w2w/sd/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/json_file.h"
#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"

namespace w2w {
namespace {

using nlohmann::json;

/// Far above every model, and small enough that no product of sizes overflows.
constexpr int64_t largest = 1'000'000;
constexpr size_t most_levels = 16;

/// One config.json with errors that name the file and the field.
class Fields {
 public:
  explicit Fields(const std::filesystem::path& path) : path_(path), object_(read_json_object(path)) {}

  template <typename T>
  T get(const char* name, T fallback) const {
    const auto field = object_.find(name);
    if (field == object_.end() || field->is_null()) return fallback;
    try {
      return field->get<T>();
    } catch (const json::exception&) {
      fail(name, field->dump(), "a value of another type");
    }
  }

  int64_t positive(const char* name, int64_t fallback) const {
    const auto value = get<int64_t>(name, fallback);
    if (value < 1 || value > largest)
      fail(name, std::to_string(value), fmt::format("a number from 1 to {}", largest));
    return value;
  }

  /// A number for all levels, or a list with one number per level.
  std::vector<int64_t> per_level(const char* name, int64_t fallback, size_t levels) const {
    const auto field = object_.find(name);
    if (field == object_.end() || !field->is_array()) return std::vector(levels, positive(name, fallback));
    const auto values = positive_list(name);
    if (values.size() != levels) fail(name, field->dump(), fmt::format("{} numbers, one per level", levels));
    return values;
  }

  std::vector<int64_t> positive_list(const char* name) const {
    const auto values = get<std::vector<int64_t>>(name, {});
    const bool fits = std::all_of(values.begin(), values.end(),
                                  [](int64_t value) { return value >= 1 && value <= largest; });
    if (values.empty() || values.size() > most_levels || !fits) {
      fail(name, object_.value(name, json()).dump().substr(0, 100),
           fmt::format("a list of 1 to {} numbers from 1 to {}", most_levels, largest));
    }
    return values;
  }

  /// Only `supported` values (JSON texts, the first one the class default) are built; others are refused by
  /// name.
  void only(const char* name, const std::vector<std::string>& supported) const {
    const auto field = object_.find(name);
    const auto found = field == object_.end() ? supported.front() : field->dump();
    if (std::find(supported.begin(), supported.end(), found) == supported.end()) {
      fail(name, found, fmt::format("{}", fmt::join(supported, " or ")));
    }
  }

  [[noreturn]] void fail(const char* name, const std::string& found, const std::string& expected) const {
    throw Error(ErrorKind::malformed,
                fmt::format("model config is not supported ({}): \"{}\" is {}, expected {}", path_.string(),
                            name, found, expected),
                "w2w runs Stable Diffusion 1.x and 2.x models");
  }

 private:
  std::filesystem::path path_;
  json object_;
};

/// Block types as flags: does the level have cross-attention?
std::vector<bool> attention_levels(const Fields& fields, const char* name, const std::string& with,
                                   const std::string& without, const std::vector<std::string>& fallback) {
  std::vector<bool> levels;
  for (const auto& type : fields.get<std::vector<std::string>>(name, fallback)) {
    if (type != with && type != without) {
      const auto near = nearest_name(type, {with, without});
      fields.fail(name, type,
                  fmt::format("{} or {}{}", with, without, near ? ": did you mean '" + *near + "'?" : ""));
    }
    levels.push_back(type == with);
  }
  return levels;
}

}  // namespace

UNetConfig read_unet_config(const std::filesystem::path& path) {
  const Fields fields(path);
  fields.only("act_fn", {"\"silu\"", "\"swish\""});
  fields.only("mid_block_type", {"\"UNetMidBlock2DCrossAttn\""});
  fields.only("center_input_sample", {"false"});
  fields.only("downsample_padding", {"1"});
  fields.only("mid_block_scale_factor", {"1", "1.0"});
  fields.only("dual_cross_attention", {"false"});
  fields.only("only_cross_attention", {"false"});
  fields.only("resnet_time_scale_shift", {"\"default\""});
  fields.only("time_embedding_type", {"\"positional\""});
  for (const char* name :
       {"class_embed_type", "addition_embed_type", "encoder_hid_dim", "encoder_hid_dim_type",
        "num_attention_heads", "time_cond_proj_dim", "timestep_post_act"}) {
    fields.only(name, {"null"});
  }
  UNetConfig config;
  config.sample_size = fields.positive("sample_size", config.sample_size);
  constexpr int64_t most_latents = 16'384;  // along a side
  if (config.sample_size > most_latents) {
    fields.fail("sample_size", std::to_string(config.sample_size), fmt::format("{} at most", most_latents));
  }
  config.in_channels = fields.positive("in_channels", config.in_channels);
  config.out_channels = fields.positive("out_channels", config.out_channels);
  config.block_out_channels = fields.positive_list("block_out_channels");
  const size_t levels = config.block_out_channels.size();
  const std::string down = "CrossAttnDownBlock2D", up = "CrossAttnUpBlock2D";
  config.down_has_attention =
      attention_levels(fields, "down_block_types", down, "DownBlock2D", {down, down, down, "DownBlock2D"});
  config.up_has_attention =
      attention_levels(fields, "up_block_types", up, "UpBlock2D", {"UpBlock2D", up, up, up});
  if (config.down_has_attention.size() != levels || config.up_has_attention.size() != levels) {
    fields.fail("block_out_channels", std::to_string(levels) + " levels",
                "as many as down_block_types and up_block_types");
  }
  config.layers_per_block = fields.per_level("layers_per_block", 2, levels);
  config.attention_heads = fields.per_level("attention_head_dim", 8, levels);
  config.transformer_layers = fields.per_level("transformer_layers_per_block", 1, levels);
  config.cross_attention_dim = fields.positive("cross_attention_dim", 1280);
  config.norm_num_groups = fields.positive("norm_num_groups", config.norm_num_groups);
  config.norm_eps = fields.get("norm_eps", config.norm_eps);
  config.use_linear_projection = fields.get("use_linear_projection", false);
  config.flip_sin_to_cos = fields.get("flip_sin_to_cos", true);
  config.freq_shift = fields.get("freq_shift", 0.0);
  for (size_t i = 0; i < levels; ++i) {
    const int64_t channels = config.block_out_channels[i];
    if (channels % config.norm_num_groups != 0 || channels % config.attention_heads[i] != 0) {
      fields.fail("block_out_channels", std::to_string(channels),
                  fmt::format("a multiple of {} groups and {} heads", config.norm_num_groups,
                              config.attention_heads[i]));
    }
  }
  return config;
}

VaeConfig read_vae_config(const std::filesystem::path& path) {
  const Fields fields(path);
  fields.only("act_fn", {"\"silu\"", "\"swish\""});
  fields.only("mid_block_add_attention", {"true"});
  for (const char* name : {"latents_mean", "latents_std", "shift_factor"}) fields.only(name, {"null"});
  VaeConfig config;
  config.in_channels = fields.positive("in_channels", config.in_channels);
  config.out_channels = fields.positive("out_channels", config.out_channels);
  config.latent_channels = fields.positive("latent_channels", config.latent_channels);
  config.block_out_channels = fields.positive_list("block_out_channels");
  const size_t levels = config.block_out_channels.size();
  for (const auto& [name, type] : {std::pair("down_block_types", "DownEncoderBlock2D"),
                                   std::pair("up_block_types", "UpDecoderBlock2D")}) {
    const auto types = fields.get<std::vector<std::string>>(name, std::vector<std::string>(levels, type));
    if (types != std::vector<std::string>(levels, type)) {
      fields.fail(name, json(types).dump(), fmt::format("{} times {}", levels, type));
    }
  }
  config.layers_per_block = fields.positive("layers_per_block", config.layers_per_block);
  config.norm_num_groups = fields.positive("norm_num_groups", config.norm_num_groups);
  config.scaling_factor = fields.get("scaling_factor", config.scaling_factor);
  config.use_quant_conv = fields.get("use_quant_conv", true);
  config.use_post_quant_conv = fields.get("use_post_quant_conv", true);
  return config;
}

ClipTextConfig read_clip_text_config(const std::filesystem::path& path) {
  const Fields fields(path);
  fields.only("hidden_act", {"\"quick_gelu\"", "\"gelu\""});
  ClipTextConfig config;
  config.vocab_size = fields.positive("vocab_size", config.vocab_size);
  config.hidden_size = fields.positive("hidden_size", config.hidden_size);
  config.intermediate_size = fields.positive("intermediate_size", config.intermediate_size);
  config.num_hidden_layers = fields.positive("num_hidden_layers", config.num_hidden_layers);
  config.num_attention_heads = fields.positive("num_attention_heads", config.num_attention_heads);
  config.max_position_embeddings = fields.positive("max_position_embeddings", config.max_position_embeddings);
  config.quick_gelu = fields.get<std::string>("hidden_act", "quick_gelu") == "quick_gelu";
  config.layer_norm_eps = fields.get("layer_norm_eps", config.layer_norm_eps);
  if (config.hidden_size % config.num_attention_heads != 0) {
    fields.fail("hidden_size", std::to_string(config.hidden_size), "a multiple of num_attention_heads");
  }
  return config;
}

UNetConfig sd15_unet_config() {
  UNetConfig config;
  config.down_has_attention = {true, true, true, false};
  config.up_has_attention = {false, true, true, true};
  config.block_out_channels = {320, 640, 1280, 1280};
  config.layers_per_block = {2, 2, 2, 2};
  config.attention_heads = {8, 8, 8, 8};
  config.transformer_layers = {1, 1, 1, 1};
  return config;
}

VaeConfig sd15_vae_config() {
  VaeConfig config;
  config.block_out_channels = {128, 256, 512, 512};
  config.layers_per_block = 2;
  return config;
}

ClipTextConfig sd15_clip_text_config() {
  ClipTextConfig config;
  config.hidden_size = 768;
  config.intermediate_size = 3072;
  config.num_attention_heads = 12;
  return config;
}

}  // namespace w2w
