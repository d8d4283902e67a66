#include "w2w/sd/checkpoint.h"

#include <fmt/format.h>

#include "sd/checkpoint_names.h"
#include "sd/foreign_model.h"
#include "sd/weight_files.h"
#include "w2w/base/error.h"

namespace w2w {

namespace fs = std::filesystem;

Checkpoint Checkpoint::open(const fs::path& path, const fs::path& tokenizer) {
  Checkpoint checkpoint;
  checkpoint.path_ = path;
  checkpoint.tokenizer_ = tokenizer;
  if (fs::is_directory(path)) {
    if (!fs::exists(path / "model_index.json")) {
      throw Error(
          ErrorKind::not_found,
          fmt::format("not a diffusers model folder ({}): it has no model_index.json", path.string()),
          "a model folder holds model_index.json, unet/, vae/, text_encoder/, tokenizer/ and scheduler/");
    }
    if (const auto foreign = foreign_model_folder(path)) {
      throw Error(
          ErrorKind::malformed,
          fmt::format("not a Stable Diffusion 1.x or 2.x model ({}): it is {}", path.string(), foreign->what),
          foreign->hint);
    }
    checkpoint.unet_config_ = read_unet_config(path / "unet" / "config.json");
    checkpoint.vae_config_ = read_vae_config(path / "vae" / "config.json");
    checkpoint.text_config_ = read_clip_text_config(path / "text_encoder" / "config.json");
  } else {
    checkpoint.single_file_ = read_tensor_file(path);
    checkpoint.single_file_.tensors = ldm_tensors(std::move(checkpoint.single_file_.tensors), path);
    checkpoint.unet_config_ = sd15_unet_config();
    checkpoint.vae_config_ = sd15_vae_config();
    checkpoint.text_config_ = sd15_clip_text_config();
  }
  if (checkpoint.text_config_.hidden_size != checkpoint.unet_config_.cross_attention_dim) {
    throw Error(
        ErrorKind::malformed,
        fmt::format("text encoder and UNet do not fit together ({}): hidden_size {}, cross_attention_dim {}",
                    path.string(), checkpoint.text_config_.hidden_size,
                    checkpoint.unet_config_.cross_attention_dim));
  }
  return checkpoint;
}

fs::path Checkpoint::scheduler_config_path() const {
  return is_folder() ? path_ / "scheduler" / "scheduler_config.json" : fs::path();
}

TensorMap Checkpoint::part(const std::string& name) const {
  TensorMap tensors = is_folder() ? read_weight_files(path_ / name, name)
                                  : ldm_part(single_file_.tensors, name, unet_config_);
  return name == "unet" ? tensors : canonical_names(std::move(tensors), name);
}

nn::Weights Checkpoint::weights(const std::string& name, const at::TensorOptions& options,
                                const std::vector<std::string>& without) const {
  const auto where = is_folder() ? (path_ / name).string() : path_.string() + ", " + name;
  auto tensors = part(name);
  for (const auto& beginning : without) {
    std::erase_if(tensors, [&](const auto& entry) { return entry.first.starts_with(beginning); });
  }
  return nn::Weights(std::move(tensors), where, options, release_pages);
}

UNet Checkpoint::unet(const at::TensorOptions& options, TensorMap* parameters) const {
  auto table = weights("unet", options);
  UNet model(unet_config_, table);
  table.finish();
  if (parameters) *parameters = table.taken();
  return model;
}

ClipText Checkpoint::text_encoder(const at::TensorOptions& options) const {
  auto table = weights("text_encoder", options);
  ClipText model(text_config_, table);
  table.finish();
  return model;
}

VaeEncoder Checkpoint::vae_encoder(const at::TensorOptions& options) const {
  auto table = weights("vae", options, {"decoder.", "post_quant_conv."});
  VaeEncoder model(vae_config_, table);
  table.finish();
  return model;
}

VaeDecoder Checkpoint::vae_decoder(const at::TensorOptions& options) const {
  auto table = weights("vae", options, {"encoder.", "quant_conv."});
  VaeDecoder model(vae_config_, table);
  table.finish();
  return model;
}

ClipTokenizer Checkpoint::tokenizer() const {
  if (!tokenizer_.empty()) return ClipTokenizer::from_folder(tokenizer_);
  return is_folder() ? ClipTokenizer::from_folder(path_ / "tokenizer") : ClipTokenizer::builtin();
}

}  // namespace w2w
