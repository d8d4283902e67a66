#include <ATen/ops/isfinite.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ctime>
#include <set>

#include "names.h"
#include "peft_config.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/atomic_folder.h"
#include "w2w/base/error.h"
#include "w2w/device/device.h"
#include "w2w/io/tensor_file.h"
#include "w2w/lora/algebra.h"
#include "w2w/lora/formats.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

at::Tensor cast(const at::Tensor& tensor, c10::ScalarType dtype, const std::string& key) {
  const auto values = tensor.detach().to(at::kCPU, dtype).contiguous();
  if (at::isfinite(values).all().item<bool>()) return values;
  throw Error(ErrorKind::failure, fmt::format("values of {} are out of range for {}", key, dtype_name(dtype)),
              dtype == at::kHalf ? "use <dtype> bf16 or f32" : "");
}

TensorMap named(LoraFormat format, const Lora& lora, c10::ScalarType dtype) {
  if (dtype != at::kFloat && dtype != at::kHalf && dtype != at::kBFloat16) {
    throw Error(ErrorKind::usage,
                fmt::format("LoRA files are written as f32, f16 or bf16, not {}", dtype_name(dtype)));
  }
  if (lora.empty()) throw Error(ErrorKind::failure, "a LoRA without any matrices cannot be written");
  TensorMap tensors;
  for (const auto& [module, factors] : lora) {
    const auto down = lora_key(format, module, LoraPart::down), up = lora_key(format, module, LoraPart::up);
    tensors[down] = cast(factors.down, dtype, down);
    tensors[up] = cast(factors.up, dtype, up);
  }
  return tensors;
}

Metadata with_framework(const LoraFileOptions& options) {
  Metadata metadata = options.metadata;
  metadata["format"] = "pt";  // what safetensors' Python loaders look for
  return metadata;
}

/// sd-scripts writes "Dynamic" when ranks differ.
std::string common_rank(const Lora& lora) {
  const auto first = lora.begin()->second.rank();
  for (const auto& [module, factors] : lora) {
    if (factors.rank() != first) return "Dynamic";
  }
  return fmt::format("{}", first);
}

/// The model by the names that sd-scripts and ModelSpec have for it. One that they do not know gets another
/// architecture than Stable Diffusion's, since ModelSpec demands one and takes its absence for version 1.
void name_model(Metadata& metadata, const Lora& lora, const LoraModel& model) {
  const auto family = family_of(lora, model);
  std::string architecture = "unknown", version, resolution;
  if (model.width > 0 && model.height > 0) resolution = fmt::format("{}x{}", model.width, model.height);
  if (family == ModelFamily::stable_diffusion_1) {
    architecture = "stable-diffusion-v1", version = "sd_v1";
    if (resolution.empty()) resolution = "512x512";
  } else if (family == ModelFamily::stable_diffusion_2) {
    const bool velocity = model.prediction == "v_prediction";
    architecture = velocity                   ? "stable-diffusion-v2-768-v"
                   : model.prediction.empty() ? "stable-diffusion-v2"
                                              : "stable-diffusion-v2-512";
    version = velocity ? "sd_v2_v" : "sd_v2";
  } else if (family == ModelFamily::demo) {
    architecture = "w2w-demo";
  }
  metadata["ss_v2"] = family == ModelFamily::stable_diffusion_2 ? "True" : "False";
  metadata["modelspec.architecture"] = architecture + "/lora";
  if (!version.empty()) metadata["ss_base_model_version"] = version;
  if (!resolution.empty()) metadata["modelspec.resolution"] = resolution;
}

/// The entries of sd-scripts (ss_*, sshs_*) and of Stability's ModelSpec 1.0.1 (modelspec.*).
Metadata kohya_metadata(const Lora& lora, const TensorMap& tensors, const LoraFileOptions& options) {
  const auto rank = common_rank(lora);
  const auto hash = safetensors_payload_sha256(tensors);
  Metadata metadata = options.metadata;
  name_model(metadata, lora, options.model);
  metadata["ss_network_module"] = "networks.lora";
  metadata["ss_network_dim"] = rank;
  metadata["ss_network_alpha"] = rank == "Dynamic" ? rank : rank + ".0";  // alpha = rank: scale 1
  metadata["ss_network_args"] = "{}";
  metadata["ss_output_name"] = options.name;
  metadata["modelspec.sai_model_spec"] = "1.0.1";
  metadata["modelspec.implementation"] = "diffusers";
  metadata["modelspec.title"] = options.name;
  metadata["modelspec.trigger_phrase"] = options.trigger;
  metadata["modelspec.hash_sha256"] = "0x" + hash;
  metadata["sshs_model_hash"] = hash;
  if (options.date) {
    metadata["modelspec.date"] =
        fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time_t{*options.date}));
  }
  return metadata;
}

bool uniform(const Lora& lora) {
  const auto& first = lora.begin()->second;
  for (const auto& [module, factors] : lora) {
    if (factors.rank() != first.rank() || factors.scale != first.scale) return false;
  }
  return true;
}

}  // namespace

const std::vector<std::string>& lora_format_names() {
  static const std::vector<std::string> names = {"kohya", "peft", "diffusers"};
  return names;
}

const std::string& name_of(LoraFormat format) { return lora_format_names().at(static_cast<size_t>(format)); }

const std::vector<std::string>& lora_format_words() {
  static const std::vector<std::string> words = {"kohya", "peft", "diffusers", "comfyui", "a1111"};
  return words;
}

LoraFormat parse_lora_format(const std::string& name) {
  const auto& words = lora_format_words();
  const auto found = std::find(words.begin(), words.end(), name);
  if (found == words.end()) {
    throw Error(ErrorKind::usage,
                fmt::format("a LoRA's format is one of {}, found '{}'", fmt::join(words, ", "), name));
  }
  const auto index = static_cast<size_t>(found - words.begin());
  return index < lora_format_names().size() ? static_cast<LoraFormat>(index) : LoraFormat::kohya;
}

void write_lora(const OutputPath& output, LoraFormat format, const Lora& lora,
                const LoraFileOptions& options) {
  switch (format) {
    case LoraFormat::kohya:
      return write_kohya(output, lora, options);
    case LoraFormat::peft:
      return write_peft(output, lora, options);
    case LoraFormat::diffusers:
      return write_diffusers(output, lora, options);
  }
}

void write_kohya(const OutputPath& output, const Lora& lora, const LoraFileOptions& options) {
  const auto tensors = named(LoraFormat::kohya, folded(lora), options.dtype);
  write_safetensors(output, tensors, kohya_metadata(lora, tensors, options));
}

void write_peft(const OutputPath& output, const Lora& lora, const LoraFileOptions& options) {
  const auto stored = lora.empty() || uniform(lora) ? lora : folded(lora);
  const auto tensors = named(LoraFormat::peft, stored, options.dtype);
  if (fs::is_directory(output.path) && !is_peft_folder_alone(output.path)) {
    throw Error(ErrorKind::failure,
                fmt::format("the output is a folder that holds other files ({})", output.path.string()),
                "only LoRA folders are replaced; choose another <output>");
  }
  const auto above = output.path.parent_path();
  std::error_code error;
  if (!above.empty()) fs::create_directories(above, error);
  if (error) {
    throw Error(ErrorKind::failure,
                fmt::format("cannot make folder ({}): {}", above.string(), error.message()));
  }
  AtomicFolder folder(output);
  write_safetensors(folder.temporary() / "adapter_model.safetensors", tensors, with_framework(options));
  write_file(folder.temporary() / "adapter_config.json", PeftConfig::write(stored));
  folder.commit();
}

bool is_peft_folder_alone(const fs::path& folder) {
  static const std::set<std::string> own = {"adapter_config.json", "adapter_model.safetensors",
                                            "adapter_model.bin", "README.md"};
  std::error_code error;
  const fs::directory_iterator files(folder, error);
  return !error && std::all_of(begin(files), end(files), [](const auto& entry) {
    return own.contains(entry.path().filename().string());
  });
}

void write_diffusers(const OutputPath& output, const Lora& lora, const LoraFileOptions& options) {
  write_safetensors(output, named(LoraFormat::diffusers, folded(lora), options.dtype),
                    with_framework(options));
}

}  // namespace w2w
