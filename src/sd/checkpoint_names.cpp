#include "sd/checkpoint_names.h"

#include <fmt/format.h>

#include "sd/foreign_model.h"
#include "sd/ldm_names.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

/// Replaces the first name of `table` that `text` starts with.
std::string replace_head(const std::string& text, const NamePairs& table) {
  for (const auto& [from, to] : table) {
    if (text.starts_with(from)) return to + text.substr(from.size());
  }
  return text;
}

std::string replace_part(std::string text, const NamePairs& table) {
  for (const auto& [from, to] : table) {
    if (const auto at = text.find(from); at != std::string::npos) return text.replace(at, from.size(), to);
  }
  return text;
}

/// 1x1 convolutions of the VAE's attention in old files are linear layers here.
at::Tensor as_linear(const std::string& name, const at::Tensor& tensor) {
  const bool attention = name.find("mid_block.attentions.0.to_") != std::string::npos;
  return attention && tensor.dim() == 4 ? tensor.flatten(1) : tensor;
}

bool begins_any(const TensorMap& tensors, const std::string& beginning) {
  const auto at = tensors.lower_bound(beginning);
  return at != tensors.end() && at->first.starts_with(beginning);
}

/// The loss a VAE was trained with, its discriminator among it, and averages of its weights.
bool is_left_by_training(const std::string& name) {
  return name.starts_with("loss.") || name.starts_with("model_ema.") || name.starts_with("discriminator.");
}

/// Gives the averaged weights of a UNet the names of the weights: latent diffusion (LitEma) keeps them under
/// these names without dots.
void name_averages(TensorMap& tensors) {
  constexpr const char* averages = "model_ema.diffusion_model";
  if (!begins_any(tensors, averages)) return;
  for (const auto& name : ldm_unet_weights(sd15_unet_config())) {
    auto flat = name;
    std::erase(flat, '.');
    auto entry = tensors.extract(averages + flat);
    if (entry.empty()) continue;
    entry.key() = ldm_unet_prefix + name;
    tensors.insert(std::move(entry));
  }
}

}  // namespace

TensorMap canonical_names(const TensorMap& tensors, const std::string& part) {
  TensorMap renamed;
  for (auto& [old_name, tensor] : tensors) {
    std::string name = old_name;
    if (part == "text_encoder") {
      name = replace_head(name, {{"text_model.", ""}});
      if (name == "embeddings.position_ids" || name == "text_projection.weight" || name == "logit_scale")
        continue;
    } else {
      name = replace_part(name, {{"attentions.0.query.", "attentions.0.to_q."},
                                 {"attentions.0.key.", "attentions.0.to_k."},
                                 {"attentions.0.value.", "attentions.0.to_v."},
                                 {"attentions.0.proj_attn.", "attentions.0.to_out.0."}});
    }
    renamed.emplace(name, as_linear(name, tensor));
  }
  return renamed;
}

TensorMap without_wrapping(const TensorMap& tensors) {
  TensorMap unwrapped;
  for (const auto& [name, tensor] : tensors)
    unwrapped.emplace(replace_head(name, {{"state_dict.", ""}}), tensor);
  return unwrapped;
}

TensorMap ldm_tensors(const TensorMap& tensors, const std::filesystem::path& path, NeededParts needed) {
  auto unwrapped = without_wrapping(tensors);
  if (!begins_any(unwrapped, ldm_unet_prefix)) name_averages(unwrapped);
  if (const auto foreign = foreign_model(unwrapped)) {
    throw Error(ErrorKind::malformed,
                fmt::format("not a Stable Diffusion 1.x model ({}): it is {}", path.string(), foreign->what),
                foreign->hint);
  }
  const auto require = [&](const char* prefix, const char* part, const std::string& hint) {
    if (begins_any(unwrapped, prefix)) return;
    throw Error(ErrorKind::malformed,
                fmt::format("not a whole Stable Diffusion 1.x model ({}): it has no {} (weights named {}*)",
                            path.string(), part, prefix),
                hint);
  };
  require(ldm_unet_prefix, "UNet", "<inspect> shows its contents");
  const bool no_vae = needed.vae && !begins_any(unwrapped, ldm_vae_prefix);
  const bool no_text = needed.text_encoder && !begins_any(unwrapped, ldm_text_prefix);
  const std::string values = "PATH: a folder, a file, or another model that has one";
  if (no_vae && no_text) {
    throw Error(ErrorKind::malformed,
                fmt::format("not a whole Stable Diffusion 1.x model ({}): it has no VAE and no text encoder "
                            "(weights named {}* and {}*)",
                            path.string(), ldm_vae_prefix, ldm_text_prefix),
                "use <vae> PATH and <text-encoder> PATH: folders, files, or another model that "
                "has them");
  }
  if (needed.vae) require(ldm_vae_prefix, "VAE", "use <vae> " + values);
  if (needed.text_encoder) require(ldm_text_prefix, "text encoder", "use <text-encoder> " + values);
  return unwrapped;
}

TensorMap ldm_part(const TensorMap& tensors, const std::string& part, const UNetConfig& config) {
  const std::string prefix = part == "unet"  ? ldm_unet_prefix
                             : part == "vae" ? ldm_vae_prefix
                                             : ldm_text_prefix;
  const auto pairs = part == "unet"  ? ldm_unet_names(config)
                     : part == "vae" ? ldm_vae_names(sd15_vae_config())
                                     : NamePairs();
  TensorMap renamed;
  for (auto entry = tensors.lower_bound(prefix); entry != tensors.end() && entry->first.starts_with(prefix);
       ++entry) {
    const auto name = entry->first.substr(prefix.size());
    if (part == "vae" && is_left_by_training(name)) continue;
    renamed.emplace(from_ldm(name, pairs), entry->second);
  }
  return renamed;
}

TensorMap diffusers_vae(const TensorMap& tensors, const VaeConfig& config) {
  const bool ldm = begins_any(tensors, "encoder.down.") || begins_any(tensors, "decoder.up.");
  const auto pairs = ldm ? ldm_vae_names(config) : NamePairs();
  TensorMap renamed;
  for (const auto& [name, tensor] : tensors) {
    if (!is_left_by_training(name)) renamed.emplace(from_ldm(name, pairs), tensor);
  }
  return renamed;
}

}  // namespace w2w
