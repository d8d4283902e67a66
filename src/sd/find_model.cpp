#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

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

/// `revision`: "" for main, or for the only snapshot where no reference says which that is.
std::optional<fs::path> snapshot_in(const fs::path& repository, const std::string& id,
                                    const std::string& revision) {
  const auto reference = repository / "refs" / (revision.empty() ? "main" : revision);
  const auto commit = fs::exists(reference) ? read_line(reference) : revision;
  if (!commit.empty() && fs::is_directory(repository / "snapshots" / commit))
    return repository / "snapshots" / commit;
  if (!commit.empty() || !fs::is_directory(repository / "snapshots")) return {};
  std::vector<std::string> commits;
  for (const auto& entry : fs::directory_iterator(repository / "snapshots")) {
    if (entry.is_directory()) commits.push_back(entry.path().filename().string());
  }
  if (commits.empty()) return {};
  if (commits.size() == 1) return repository / "snapshots" / commits.front();
  std::sort(commits.begin(), commits.end());
  throw Error(ErrorKind::not_found,
              fmt::format("model {} is in the cache in {} revisions, none of them called main ({}): {}", id,
                          commits.size(), repository.string(), fmt::join(commits, ", ")),
              fmt::format("choose one: {}@{}", id, commits.front()));
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
    if (const auto snapshot = snapshot_in(repository, id, at == std::string::npos ? "" : revision))
      return *snapshot;
    looked += (looked.empty() ? "" : ", ") + repository.string();
  }
  throw Error(ErrorKind::not_found,
              fmt::format("model {} is not on this machine; looked in {}", model, looked),
              fmt::format("w2w never downloads; download it with: hf download {}", id));
}

}  // namespace w2w
