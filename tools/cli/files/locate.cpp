#include "cli/files/locate.h"

#include <fmt/format.h>

#include <cstdlib>

#include "cli/options/expanded_path.h"
#include "w2w/base/error.h"
#include "w2w/sd/checkpoint.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

std::optional<fs::path> environment_path(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? std::optional<fs::path>(expanded_path(value)) : std::nullopt;
}

fs::path demo_world(const char* part, const Run& run) {
  static bool said = false;
  const auto folder = share_folder() / "demo";
  if (!said)
    run.notice("no model or space given: using the demo world that comes with w2w (cartoons, 64x64)");
  said = true;
  return folder / part;
}

}  // namespace

fs::path share_folder() {
  std::vector<fs::path> places;
  if (const auto given = environment_path("W2W_SHARE")) places = {*given};
  std::error_code error;
  const auto binary = fs::read_symlink("/proc/self/exe", error);
  if (places.empty() && !error) places.push_back(binary.parent_path().parent_path() / "share" / "w2w");
  if (places.size() < 2 && !environment_path("W2W_SHARE")) places.emplace_back(W2W_SHARE_SOURCE);
  std::string looked;
  for (const auto& place : places) {
    if (fs::is_directory(place / "demo", error)) return place;
    looked += (looked.empty() ? "" : ", ") + place.string();
  }
  throw Error(
      ErrorKind::not_found, fmt::format("the demo world is not installed ({})", looked),
      "name a model with --model and a space with --space, or set W2W_SHARE to the folder that holds demo/");
}

std::vector<fs::path> hub_caches() {
  std::vector<fs::path> caches;
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const auto path = environment_path(name)) caches.push_back(*path);
  }
  if (const auto path = environment_path("HF_HOME")) caches.push_back(*path / "hub");
  if (const auto path = environment_path("XDG_CACHE_HOME")) caches.push_back(*path / "huggingface" / "hub");
  if (const auto path = environment_path("HOME")) caches.push_back(*path / ".cache" / "huggingface" / "hub");
  return caches;
}

fs::path locate_model(const std::optional<std::string>& model, const Run& run) {
  return model ? find_model(*model, hub_caches()) : demo_world("model", run);
}

ModelParts locate_parts(const ModelOptions& options) {
  const auto place = [](const std::optional<std::string>& name) {
    const bool hub_id = name && !fs::exists(*name) && looks_like_hub_id(*name);
    return hub_id ? find_model(*name, hub_caches()) : fs::path(name.value_or(""));
  };
  return {options.tokenizer.value_or(""), place(options.vae), place(options.text_encoder)};
}

Checkpoint open_checkpoint(const ModelOptions& options, const Run& run) {
  return Checkpoint::open(locate_model(options.model, run), locate_parts(options));
}

fs::path locate_space(const std::optional<std::string>& space, const Run& run) {
  return space ? fs::path(*space) : demo_world("space", run);
}

}  // namespace w2w::cli
