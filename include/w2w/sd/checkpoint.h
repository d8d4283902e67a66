#pragma once
// A Stable Diffusion model on disk: a diffusers folder or a single-file checkpoint. Opening reads only small
// files; each part's weights are mapped when it is asked for.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "w2w/io/tensor_file.h"
#include "w2w/sd/clip_text.h"
#include "w2w/sd/model_parts.h"
#include "w2w/sd/unet.h"
#include "w2w/sd/vae.h"
#include "w2w/text/clip_tokenizer.h"

namespace w2w {

/// Finds a model by what a user types: a path, or a Hugging Face id "organisation/name[@revision]" looked up
/// in local cache folders (models--organisation--name/refs/REVISION -> snapshots/COMMIT). Nothing is
/// downloaded. Error(not_found) says where it looked.
std::filesystem::path find_model(const std::string& model,
                                 const std::vector<std::filesystem::path>& hub_caches);

/// "organisation/name" or "organisation/name@revision"
bool looks_like_hub_id(const std::string& model);

class Checkpoint {
 public:
  /// `path`: a folder with model_index.json, or a .safetensors / .ckpt file of Stable Diffusion 1.x.
  static Checkpoint open(const std::filesystem::path& path, const ModelParts& parts = {});

  const std::filesystem::path& path() const { return path_; }
  const UNetConfig& unet_config() const { return unet_config_; }
  const VaeConfig& vae_config() const { return vae_config_; }
  const ClipTextConfig& text_config() const { return text_config_; }
  /// Whether "vae" or "text_encoder" is another than the model's own.
  bool is_replaced(const std::string& part) const { return !replacement(part).path.empty(); }
  /// config.json of "unet", "vae" or "text_encoder"; empty where there is none, as for a single file.
  std::filesystem::path config_path(const std::string& part) const;
  /// scheduler_config.json, or empty for a single file.
  std::filesystem::path scheduler_config_path() const;

  /// `parameters`, if given, receives the UNet's weights by name; the handles are shared with the UNet.
  UNet unet(const at::TensorOptions& options, TensorMap* parameters = nullptr) const;
  ClipText text_encoder(const at::TensorOptions& options) const;
  VaeEncoder vae_encoder(const at::TensorOptions& options) const;
  VaeDecoder vae_decoder(const at::TensorOptions& options) const;
  ClipTokenizer tokenizer() const;

  /// Whether it is a single-file checkpoint, and that file's tensors under its own names.
  bool is_single_file() const { return !is_folder(); }
  const TensorMap& single_file_tensors() const { return single_file_.tensors; }

  /// The tensors of "unet", "text_encoder" or "vae" under their diffusers names, as views of the files.
  TensorMap part(const std::string& name) const;

 private:
  /// Of "vae" or "text_encoder"; empty for the UNet.
  const PartFile& replacement(const std::string& part) const;
  bool is_folder() const { return single_file_.tensors.empty(); }
  /// `without`: beginnings of names that another half of the part will load.
  nn::Weights weights(const std::string& part, const at::TensorOptions& options,
                      const std::vector<std::string>& without = {}) const;

  std::filesystem::path path_, tokenizer_;
  TensorFile single_file_;       ///< of a single-file checkpoint only
  PartFile vae_, text_encoder_;  ///< in place of the model's own
  UNetConfig unet_config_;
  VaeConfig vae_config_;
  ClipTextConfig text_config_;
};

}  // namespace w2w
