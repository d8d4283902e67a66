#include "sd/weight_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "io/json_file.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

/// File stems and extensions as diffusers and transformers save them.
struct Naming {
  std::string stem, extension;
};

/// UNet and VAE are diffusers' models, all other parts transformers'.
std::vector<Naming> namings(const std::string& part) {
  if (part != "unet" && part != "vae") return {{"model", ".safetensors"}, {"pytorch_model", ".bin"}};
  return {{"diffusion_pytorch_model", ".safetensors"}, {"diffusion_pytorch_model", ".bin"}};
}

/// "STEM.fp16.safetensors" has the variant "fp16"; "STEM-00001-of-00002.safetensors" is a shard and has none.
std::vector<std::string> variants(const fs::path& folder, const Naming& naming) {
  const auto& extension = naming.extension;
  std::vector<std::string> found = {""};
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    const auto head = naming.stem + ".";
    if (!name.starts_with(head) || !name.ends_with(extension) ||
        name.size() <= head.size() + extension.size())
      continue;
    const auto variant = name.substr(head.size(), name.size() - head.size() - extension.size());
    if (variant.find('.') == std::string::npos) found.push_back("." + variant);
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::set<std::string> shards_of(const fs::path& index_path) {
  const auto index = read_json_object(index_path);
  const auto map = index.find("weight_map");
  if (map == index.end() || !map->is_object()) {
    throw Error(ErrorKind::malformed, "shard index has no weight_map (" + index_path.string() + ")");
  }
  std::set<std::string> files;
  for (const auto& [name, file] : map->items()) {
    const auto text = file.is_string() ? file.get<std::string>() : std::string();
    if (text.empty() || fs::path(text).filename() != text) {
      throw Error(ErrorKind::malformed, fmt::format("shard index names no file in its folder for {} ({}): {}",
                                                    name, index_path.string(), file.dump()));
    }
    files.insert(text);
  }
  return files;
}

TensorMap read_shards(const fs::path& index_path) {
  TensorMap tensors;
  for (const auto& file : shards_of(index_path))
    tensors.merge(read_tensor_file(index_path.parent_path() / file).tensors);
  return tensors;
}

bool is_index(const fs::path& path) { return path.extension() == ".json"; }

/// The weights or their index; empty where there are none, with the names looked for in `tried`.
fs::path find_weights(const fs::path& folder, const std::string& part, std::vector<std::string>& tried) {
  for (const auto& naming : namings(part)) {
    for (const auto& variant : variants(folder, naming)) {
      const auto file = folder / (naming.stem + variant + naming.extension);
      if (fs::exists(file)) return file;
      const auto index = folder / (naming.stem + naming.extension + ".index" + variant + ".json");
      if (fs::exists(index)) return index;
      tried.push_back(file.filename().string());
    }
    for (const auto& entry : fs::directory_iterator(folder)) {  // shards that exist only as a variant
      const auto name = entry.path().filename().string();
      if (name.starts_with(naming.stem + naming.extension + ".index.") && name.ends_with(".json"))
        return entry.path();
    }
  }
  return {};
}

}  // namespace

std::string weight_file_name(const std::string& part) {
  const auto naming = namings(part).front();
  return naming.stem + naming.extension;
}

TensorMap read_weight_files(const fs::path& folder, const std::string& part) {
  if (!fs::is_directory(folder)) {
    throw Error(ErrorKind::not_found, fmt::format("model has no {} folder ({})", part, folder.string()));
  }
  std::vector<std::string> tried;
  const auto found = find_weights(folder, part, tried);
  if (found.empty()) {
    throw Error(ErrorKind::not_found,
                fmt::format("no weights in {} ({}): expected {} or {}", part, folder.string(), tried.front(),
                            tried.back()),
                "if the download was incomplete, download the model again");
  }
  return is_index(found) ? read_shards(found) : read_tensor_file(found).tensors;
}

std::vector<std::string> missing_weight_files(const fs::path& folder, const std::string& part) {
  std::vector<std::string> tried, missing;
  const auto found = fs::is_directory(folder) ? find_weights(folder, part, tried) : fs::path();
  if (found.empty()) {
    // A link whose blob is gone tells which file there was.
    for (const auto& name : tried) {
      if (fs::is_symlink(folder / name)) return {name};
    }
    return {weight_file_name(part)};
  }
  if (!is_index(found)) return {};
  for (const auto& shard : shards_of(found)) {
    if (!fs::exists(folder / shard)) missing.push_back(shard);
  }
  return missing;
}

}  // namespace w2w
