#include "w2w/pipeline/merge.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "pipeline/model_folder.h"
#include "sd/ldm_names.h"
#include "w2w/base/atomic_folder.h"
#include "w2w/base/error.h"
#include "w2w/base/run.h"
#include "w2w/lora/algebra.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

/// The weights that `lora` changes, by name; f32 where they are to be rounded to another dtype later.
TensorMap changed_weights(const Checkpoint& model, const Lora& lora, bool in_f32) {
  const auto unet = model.part("unet");
  TensorMap changed;
  for (const auto& [module, factors] : lora) {
    const auto base = unet.find(module + ".weight");
    if (base == unet.end()) {
      throw Error(
          ErrorKind::failure,
          fmt::format("LoRA does not fit the model ({}): it changes {}, which the model does not have",
                      model.path().string(), module));
    }
    const auto before = in_f32 ? base->second.to(at::kFloat) : base->second;
    auto weight = at::empty(before.sizes(), before.options());
    bake(weight, before, factors);
    changed.emplace(base->first, weight);
  }
  return changed;
}

/// One part of the model under the names of a single file.
void add_ldm_part(TensorMap& tensors, const TensorMap& part, const char* prefix, const NamePairs& pairs) {
  for (const auto& [name, tensor] : part) {
    const bool kernel = name.find("mid_block.attentions.0.to_") != std::string::npos && tensor.dim() == 2 &&
                        std::string_view(prefix) == ldm_vae_prefix;  // 1x1 convolutions there
    tensors.emplace(prefix + to_ldm(name, pairs), kernel ? tensor.unsqueeze(2).unsqueeze(3) : tensor);
  }
}

TensorMap single_file_tensors(const Checkpoint& model) {
  TensorMap tensors;
  const bool file = model.is_single_file();
  const auto to_add = [&](const std::string& part) { return !file || model.is_replaced(part); };
  if (file) {
    for (const auto& [name, tensor] : model.single_file_tensors()) {
      const bool other = (to_add("vae") && name.starts_with(ldm_vae_prefix)) ||
                         (to_add("text_encoder") && name.starts_with(ldm_text_prefix));
      if (!other) tensors.emplace(name, tensor);
    }
  } else {
    add_ldm_part(tensors, model.part("unet"), ldm_unet_prefix, ldm_unet_names(model.unet_config()));
  }
  if (to_add("vae"))
    add_ldm_part(tensors, model.part("vae"), ldm_vae_prefix, ldm_vae_names(model.vae_config()));
  if (to_add("text_encoder")) {
    for (const auto& [name, tensor] : model.part("text_encoder"))
      tensors.emplace(fmt::format("{}text_model.{}", ldm_text_prefix, name), tensor);
  }
  return tensors;
}

}  // namespace

void check_single_file_names(const Checkpoint& model) {
  if (model.is_single_file() && !model.is_replaced("vae")) return;
  const auto expect = [&](const char* what, const auto& found, const auto& expected) {
    if (found == expected) return;
    throw Error(ErrorKind::failure,
                fmt::format("this model cannot be written as a single file ({}): such files have names for "
                            "Stable Diffusion 1.x "
                            "only; {}: expected {}, found {}",
                            model.path().string(), what, expected, found),
                "name a folder as <output>: a diffusers folder can hold any model");
  };
  const auto &unet = model.unet_config(), expected_unet = sd15_unet_config();
  expect("layers per UNet block", unet.layers_per_block, expected_unet.layers_per_block);
  expect("UNet down blocks with attention", unet.down_has_attention, expected_unet.down_has_attention);
  expect("UNet up blocks with attention", unet.up_has_attention, expected_unet.up_has_attention);
  expect("transformer layers", unet.transformer_layers, expected_unet.transformer_layers);
  expect("linear projections around attention", unet.use_linear_projection, false);
  const auto &vae = model.vae_config(), expected_vae = sd15_vae_config();
  expect("blocks of the VAE", vae.block_out_channels.size(), expected_vae.block_out_channels.size());
  expect("layers per VAE block", vae.layers_per_block, expected_vae.layers_per_block);
  expect("quantisation layers of the VAE", vae.use_quant_conv && vae.use_post_quant_conv, true);
}

void merge_into_folder(const Checkpoint& model, const Lora& lora, std::optional<at::ScalarType> dtype,
                       const OutputPath& output, const Run& run) {
  const auto changed = changed_weights(model, lora, dtype.has_value());
  AtomicFolder folder(output);
  if (model.is_single_file()) {
    write_builtin_folder(model, changed, dtype, folder.temporary(), run);
  } else {
    copy_model_folder(model, changed, dtype, folder.temporary(), run);
  }
  folder.commit();
}

void merge_into_file(const Checkpoint& model, const Lora& lora, std::optional<at::ScalarType> dtype,
                     const OutputPath& file, const Metadata& metadata, const Run& run) {
  check_single_file_names(model);
  if (!model.is_single_file() &&
      model.unet_config().block_out_channels != sd15_unet_config().block_out_channels) {
    run.notice(
        "the model's layers differ in width from Stable Diffusion 1.5's: loading the file needs its "
        "config.json");
  }
  auto tensors = single_file_tensors(model);
  const auto pairs = ldm_unet_names(model.unet_config());
  for (const auto& [name, weight] : changed_weights(model, lora, dtype.has_value())) {
    tensors.at(ldm_unet_prefix + to_ldm(name, pairs)) = weight;
  }
  write_safetensors(file, in_dtype(std::move(tensors), dtype), metadata);
}

}  // namespace w2w
