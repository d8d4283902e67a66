#include "sd/part_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sd/checkpoint_names.h"
#include "sd/weight_files.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

/// What may stand before the names of a part in a file, and a weight that every such part has.
struct PartNames {
  const char* what;
  std::array<const char*, 2> prefixes;
  std::array<const char*, 2> weights;
};

PartNames names_of(const std::string& part) {
  if (part == "vae")
    return {"VAE", {"first_stage_model.", "vae."}, {"decoder.conv_in.weight", "decoder.conv_in.weight"}};
  return {"text encoder",
          {"cond_stage_model.transformer.", "text_encoder."},
          {"text_model.embeddings.token_embedding.weight", "embeddings.token_embedding.weight"}};
}

/// A folder of the part itself, or of a model that holds one.
fs::path part_folder(const fs::path& path, const std::string& part, const char* what) {
  for (const auto& folder : {path, path / part}) {
    if (fs::exists(folder / "config.json") && !fs::exists(folder / "model_index.json")) return folder;
  }
  throw Error(
      ErrorKind::not_found, fmt::format("no {} in this folder ({})", what, path.string()),
      fmt::format("expected config.json and {}, here or in the subfolder {}", weight_file_name(part), part));
}

/// Of a file that was saved with its config.json beside it.
fs::path config_beside(const fs::path& file, const std::string& part) {
  const auto beside = file.parent_path() / "config.json";
  const auto stem = fs::path(weight_file_name(part)).stem().string();
  const auto name = file.filename().string();
  const bool saved = name.starts_with(stem + ".") || name.starts_with("pytorch_model.");
  return saved && fs::exists(beside) ? beside : fs::path();
}

}  // namespace

PartFile open_part(const fs::path& path, const std::string& part) {
  const auto names = names_of(part);
  if (!fs::exists(path))
    throw Error(ErrorKind::not_found, fmt::format("no such {} ({})", names.what, path.string()));
  if (fs::is_directory(path)) {
    const auto folder = part_folder(path, part, names.what);
    return {folder, folder / "config.json", read_weight_files(folder, part)};
  }
  PartFile result{path, config_beside(path, part), {}};
  const auto all = without_wrapping(read_tensor_file(path).tensors);
  std::string prefix;
  for (const std::string candidate : names.prefixes) {
    const auto first = all.lower_bound(candidate);
    if (prefix.empty() && first != all.end() && first->first.starts_with(candidate)) prefix = candidate;
  }
  for (const auto& [name, tensor] : all) {
    if (name.starts_with(prefix)) result.tensors.emplace(name.substr(prefix.size()), tensor);
  }
  if (std::none_of(names.weights.begin(), names.weights.end(),
                   [&](const char* name) { return result.tensors.contains(name); })) {
    throw Error(
        ErrorKind::malformed,
        fmt::format(
            "no {} in this file ({}): expected a weight named {}, without prefix or with prefix {} or {}",
            names.what, path.string(), names.weights.back(), names.prefixes[0], names.prefixes[1]),
        "<inspect> shows its contents");
  }
  return result;
}

}  // namespace w2w
