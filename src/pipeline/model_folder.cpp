#include "pipeline/model_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "io/json_file.h"
#include "sd/weight_files.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"
#include "w2w/base/run.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

const Metadata framework = {{"format", "pt"}};  // what diffusers and transformers look for

bool is_weight_file(const fs::path& path) {
  const auto name = path.filename().string();
  if (name.find(".index.") != std::string::npos && name.ends_with(".json")) return true;  // of shards
  static const std::vector<std::string> extensions = {".safetensors", ".bin",     ".ckpt", ".pt",
                                                      ".pth",         ".msgpack", ".onnx", ".h5",
                                                      ".onnx_data",   ".pb",      ".xml",  ".gguf"};
  return std::find(extensions.begin(), extensions.end(), path.extension().string()) != extensions.end();
}

/// Of a snapshot in the hub cache too, where files are links.
void copy_files(const fs::path& source, const fs::path& folder, const Run& run) {
  for (const auto& entry : fs::directory_iterator(source)) {
    const auto name = entry.path().filename();
    if (name.string().starts_with('.')) continue;
    if (fs::is_directory(entry.path())) {
      fs::create_directory(folder / name);
      copy_files(entry.path(), folder / name, run);
    } else if (!is_weight_file(entry.path())) {
      copy_whole(entry.path(), folder / name, run);
    }
  }
}

bool has_weights(const fs::path& folder) {
  const auto files = fs::directory_iterator(folder);
  return std::any_of(begin(files), end(files), [](const auto& file) { return is_weight_file(file.path()); });
}

/// What was not fetched with the model must not be asked for when the copy is loaded.
void strike_missing_parts(const fs::path& folder, const Run& run) {
  const auto path = folder / "model_index.json";
  auto index = nlohmann::ordered_json(read_json_object(path));
  bool changed = false;
  for (auto& [name, value] : index.items()) {
    const bool part = value.is_array() && value.size() == 2 && value[0].is_string();
    if (!part || fs::is_directory(folder / name)) continue;
    run.notice("the model has no folder " + name + ": it is removed from the copy's model_index.json");
    value = {nullptr, nullptr};
    if (name == "safety_checker") index["requires_safety_checker"] = false;
    changed = true;
  }
  if (changed) write_file(path, index.dump(2) + "\n");
}

/// A part that is not the model's own: its config.json and weights, whatever else is in the folder.
void copy_replaced(const Checkpoint& model, const std::string& part, std::optional<at::ScalarType> dtype,
                   const fs::path& folder) {
  fs::create_directories(folder);
  if (const auto config = model.config_path(part); !config.empty())
    copy_whole(config, folder / "config.json");
  else
    write_builtin_config(model, part, folder);
  write_safetensors(folder / weight_file_name(part), in_dtype(saved_part(model, part), dtype), framework);
}

}  // namespace

TensorMap in_dtype(TensorMap tensors, std::optional<at::ScalarType> dtype) {
  for (auto& [name, tensor] : tensors) {
    if (dtype && tensor.is_floating_point()) tensor = tensor.to(*dtype);
  }
  return tensors;
}

void copy_model_folder(const Checkpoint& model, const TensorMap& changed, std::optional<at::ScalarType> dtype,
                       const fs::path& folder, const Run& run) {
  const auto& source = model.path();
  try {
    copy_files(source, folder, run);
    for (const auto* part : {"vae", "text_encoder"}) {
      if (model.is_replaced(part)) copy_replaced(model, part, dtype, folder / part);
    }
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::failure, std::string("cannot copy the model's files: ") + error.what());
  }
  strike_missing_parts(folder, run);
  for (const auto& entry : fs::directory_iterator(source)) {
    const auto part = entry.path().filename().string();
    if (part.starts_with('.') || !fs::is_directory(entry.path()) || model.is_replaced(part)) continue;
    const bool required = part == "unet" || part == "vae" || part == "text_encoder";
    if (!required && !has_weights(entry.path())) continue;
    run.check_stop();
    auto tensors = read_weight_files(entry.path(), part);
    if (part == "unet") {
      for (const auto& [name, weight] : changed) tensors.at(name) = weight;
    }
    write_safetensors(folder / part / weight_file_name(part), in_dtype(std::move(tensors), dtype), framework);
  }
}

}  // namespace w2w
