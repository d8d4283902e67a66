#include <fmt/format.h>

#include "cli/commands/file_description.h"
#include "cli/terminal/reporter.h"
#include "w2w/base/error.h"
#include "w2w/base/read_file.h"
#include "w2w/device/device.h"
#include "w2w/io/mapped_file.h"
#include "w2w/lora/formats.h"
#include "w2w/sd/checkpoint.h"
#include "w2w/space/identity.h"
#include "w2w/space/space.h"
#include "w2w/text/clip_tokenizer.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

FileDescription describe_model(const fs::path& folder) {
  const auto checkpoint = Checkpoint::open(folder);
  FileDescription description{.kind = "model", .title = "Stable Diffusion model (diffusers folder)"};
  const auto& unet = checkpoint.unet_config();
  const auto& vae = checkpoint.vae_config();
  const auto& text = checkpoint.text_config();
  const int64_t side = unet.sample_size * vae.down_factor();
  auto& facts = description.facts;
  facts["picture"] = fmt::format("{0} x {0} pixels", side);
  facts["unet_widths"] = unet.block_out_channels;
  facts["cross_attention_width"] = unet.cross_attention_dim;
  facts["vae_down_factor"] = vae.down_factor();
  facts["latent_channels"] = vae.latent_channels;
  facts["scaling_factor"] = vae.scaling_factor;
  facts["text_encoder"] = fmt::format("{} layers, width {}, {} positions", text.num_hidden_layers,
                                      text.hidden_size, text.max_position_embeddings);
  facts["vocabulary"] = text.vocab_size;
  return description;
}

FileDescription describe_space(const fs::path& folder) {
  const auto space = Space::open(folder);
  const auto& data = space.data();
  const bool compact = fs::exists(folder / "space.json");
  FileDescription description{.kind = "space",
                              .title = compact ? "w2w space" : "w2w space (the released files)"};
  auto& facts = description.facts;
  facts["components"] = space.components();
  facts["parameters"] = space.parameters();
  facts["component_dtype"] = dtype_name(data.components.scalar_type());
  if (data.models > 0) facts["training_models"] = data.models;
  if (!data.base_model.empty()) facts["base_model"] = data.base_model;
  if (data.layout) {
    facts["modules"] = data.layout->targets().size();
    facts["rank"] = data.layout->rank();
    facts["alpha"] = data.layout->alpha();
  }
  facts["hash"] = space.hash();
  facts["prompt"] = data.defaults.prompt;
  facts["negative_prompt"] = data.defaults.negative_prompt;
  facts["steps"] = data.defaults.steps;
  facts["cfg_scale"] = data.defaults.cfg_scale;
  facts["spread"] = data.defaults.spread;
  return description;
}

FileDescription describe_tokenizer(const fs::path& folder) {
  const auto tokenizer = ClipTokenizer::from_folder(folder);
  FileDescription description{.kind = "tokenizer", .title = "CLIP tokenizer"};
  description.facts["vocabulary"] = tokenizer.vocabulary_size();
  description.facts["length"] = tokenizer.max_length();
  description.facts["begins_with"] = tokenizer.piece(tokenizer.bos());
  description.facts["ends_with"] = tokenizer.piece(tokenizer.eos());
  description.facts["pads_with"] = tokenizer.piece(tokenizer.pad());
  return description;
}

/// The LoRA's own file inside its folder, with what the folder's configuration adds.
FileDescription describe_lora_folder(const fs::path& folder) {
  const bool peft = fs::exists(folder / "adapter_config.json");
  const std::string stem = peft ? "adapter_model" : "pytorch_lora_weights";
  const auto safetensors = folder / (stem + ".safetensors");
  auto description = describe_tensors(fs::exists(safetensors) ? safetensors : folder / (stem + ".bin"));
  description.title += peft ? ", PEFT folder" : ", diffusers folder";
  if (!peft) return description;
  const auto config = parse_json(read_file(folder / "adapter_config.json"));
  if (!config.is_object()) {
    throw Error(ErrorKind::malformed, fmt::format("adapter_config.json is not a JSON object ({})",
                                                  (folder / "adapter_config.json").string()));
  }
  for (const char* key : {"r", "lora_alpha", "use_rslora", "target_modules", "base_model_name_or_path"}) {
    if (config.contains(key)) description.facts[key] = config[key];
  }
  return description;
}

}  // namespace

FileDescription describe_folder(const fs::path& folder) {
  if (fs::exists(folder / "model_index.json")) return describe_model(folder);
  if (fs::exists(folder / "space.json") || fs::exists(folder / "V.pt")) return describe_space(folder);
  if (is_lora_folder(folder)) return describe_lora_folder(folder);
  if (fs::exists(folder / "vocab.json")) return describe_tokenizer(folder);
  if (fs::exists(folder / "w2wmodel.pt")) return describe_tensors(folder / "w2wmodel.pt");
  throw Error(
      ErrorKind::malformed,
      fmt::format("no known files in this folder ({}); expected a diffusers model (model_index.json), a "
                  "space (space.json or V.pt), a LoRA (adapter_config.json or pytorch_lora_weights) or an "
                  "identity (w2wmodel.pt)",
                  folder.string()));
}

}  // namespace w2w::cli
