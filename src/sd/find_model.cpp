#include <fmt/format.h>

#include "w2w/base/error.h"
#include "w2w/base/read_file.h"
#include "w2w/sd/checkpoint.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

std::string read_line(const fs::path& path) {
  const auto text = read_file(path);
  return text.substr(0, text.find('\n'));
}

}  // namespace

bool looks_like_hub_id(const std::string& model) {
  const auto slash = model.find('/');
  return slash != std::string::npos && slash > 0 && slash + 1 < model.size() &&
         model.find('/', slash + 1) == std::string::npos && model[0] != '.' && model[0] != '~';
}

fs::path find_model(const std::string& model, const std::vector<fs::path>& hub_caches) {
  if (fs::exists(model)) return model;
  if (!looks_like_hub_id(model)) {
    throw Error(ErrorKind::not_found, "no such model (" + model + ")",
                "a model is a diffusers folder, a .safetensors or .ckpt file, or a hub id such as "
                "stablediffusionapi/realistic-vision-v51 that is already in the cache");
  }
  const auto at = model.find('@');
  const auto id = model.substr(0, at);
  const auto revision = at == std::string::npos ? "main" : model.substr(at + 1);
  const auto slash = id.find('/');
  const auto folder = fmt::format("models--{}--{}", id.substr(0, slash), id.substr(slash + 1));
  std::string looked;
  for (const auto& cache : hub_caches) {
    const auto repository = cache / folder;
    const auto reference = repository / "refs" / revision;
    const auto commit = fs::exists(reference) ? read_line(reference) : revision;
    const auto snapshot = repository / "snapshots" / commit;
    if (!commit.empty() && fs::is_directory(snapshot)) return snapshot;
    looked += (looked.empty() ? "" : ", ") + repository.string();
  }
  throw Error(ErrorKind::not_found,
              fmt::format("model {} is not on this machine; looked in {}", model, looked),
              fmt::format("w2w never downloads; fetch it once with: hf download {}", id));
}

}  // namespace w2w
