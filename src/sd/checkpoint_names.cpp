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

}  // namespace

TensorMap canonical_names(TensorMap tensors, const std::string& part) {
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

TensorMap ldm_tensors(TensorMap tensors, const std::filesystem::path& path) {
  TensorMap unwrapped;
  for (auto& [name, tensor] : tensors) unwrapped.emplace(replace_head(name, {{"state_dict.", ""}}), tensor);
  if (const auto foreign = foreign_model(unwrapped)) {
    throw Error(ErrorKind::malformed,
                fmt::format("not a Stable Diffusion 1.x model ({}): it is {}", path.string(), foreign->what),
                foreign->hint);
  }
  for (const auto& [prefix, part] : {std::pair(ldm_unet_prefix, "UNet"), std::pair(ldm_vae_prefix, "VAE"),
                                     std::pair(ldm_text_prefix, "text encoder")}) {
    const auto at = unwrapped.lower_bound(prefix);
    if (at != unwrapped.end() && at->first.starts_with(prefix)) continue;
    throw Error(ErrorKind::malformed,
                fmt::format("not a whole Stable Diffusion 1.x model ({}): it has no {} (weights named {}*)",
                            path.string(), part, prefix),
                "w2w inspect says what it holds");
  }
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
    renamed.emplace(from_ldm(entry->first.substr(prefix.size()), pairs), entry->second);
  }
  return renamed;
}

}  // namespace w2w
