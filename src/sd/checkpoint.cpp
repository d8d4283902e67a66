#include "w2w/sd/checkpoint.h"

#include <fmt/format.h>

#include "sd/checkpoint_names.h"
#include "sd/foreign_model.h"
#include "sd/part_file.h"
#include "sd/snapshot.h"
#include "sd/weight_files.h"
#include "w2w/base/error.h"

namespace w2w {

namespace fs = std::filesystem;

namespace {

void check_folder(const fs::path& path) {
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
}

void expect_equal(const fs::path& path, const std::string& what, const char* one, int64_t first,
                  const char* other, int64_t second) {
  if (first == second) return;
  throw Error(ErrorKind::malformed, fmt::format("{} do not fit together ({}): {} {}, {} {}", what,
                                                path.string(), one, first, other, second));
}

}  // namespace

Checkpoint Checkpoint::open(const fs::path& path, const ModelParts& parts) {
  Checkpoint model;
  model.path_ = path;
  model.tokenizer_ = parts.tokenizer;
  if (!parts.vae.empty()) model.vae_ = open_part(parts.vae, "vae");
  if (!parts.text_encoder.empty()) model.text_encoder_ = open_part(parts.text_encoder, "text_encoder");
  if (fs::is_directory(path)) {
    std::vector<std::string> own = {"unet"};
    if (parts.vae.empty()) own.emplace_back("vae");
    if (parts.text_encoder.empty()) own.emplace_back("text_encoder");
    check_snapshot(path, own);
    check_folder(path);
  } else {
    model.single_file_ = read_tensor_file(path);
    model.single_file_.tensors =
        ldm_tensors(model.single_file_.tensors, path, {parts.vae.empty(), parts.text_encoder.empty()});
  }
  const auto unet = model.config_path("unet"), vae = model.config_path("vae"),
             text = model.config_path("text_encoder");
  model.unet_config_ = unet.empty() ? sd15_unet_config() : read_unet_config(unet);
  model.vae_config_ = vae.empty() ? sd15_vae_config() : read_vae_config(vae);
  model.text_config_ = text.empty() ? sd15_clip_text_config() : read_clip_text_config(text);
  expect_equal(path, "text encoder and UNet", "hidden_size", model.text_config_.hidden_size,
               "cross_attention_dim", model.unet_config_.cross_attention_dim);
  expect_equal(path, "VAE and UNet", "latent_channels", model.vae_config_.latent_channels, "in_channels",
               model.unet_config_.in_channels);
  return model;
}

const PartFile& Checkpoint::replacement(const std::string& part) const {
  static const PartFile none;
  return part == "vae" ? vae_ : part == "text_encoder" ? text_encoder_ : none;
}

fs::path Checkpoint::config_path(const std::string& part) const {
  if (const auto& own = replacement(part).config; !own.empty()) return own;
  const auto path = path_ / part / "config.json";
  return is_folder() && (!is_replaced(part) || fs::exists(path)) ? path : fs::path();
}

fs::path Checkpoint::scheduler_config_path() const {
  return is_folder() ? path_ / "scheduler" / "scheduler_config.json" : fs::path();
}

TensorMap Checkpoint::part(const std::string& name) const {
  if (is_replaced(name)) {
    const auto& tensors = replacement(name).tensors;
    return canonical_names(name == "vae" ? diffusers_vae(tensors, vae_config_) : tensors, name);
  }
  TensorMap tensors = is_folder() ? read_weight_files(path_ / name, name)
                                  : ldm_part(single_file_.tensors, name, unet_config_);
  return name == "unet" ? tensors : canonical_names(tensors, name);
}

nn::Weights Checkpoint::weights(const std::string& name, const at::TensorOptions& options,
                                const std::vector<std::string>& without) const {
  const auto where = is_replaced(name) ? replacement(name).path.string()
                     : is_folder()     ? (path_ / name).string()
                                       : path_.string() + ", " + name;
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
