#include "sd/snapshot.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sd/weight_files.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

/// A link whose blob is gone is said to be one.
void expect_file(const fs::path& folder, const std::string& name, std::vector<std::string>& missing) {
  const auto path = folder / name;
  if (fs::exists(path)) return;
  missing.push_back(name + (fs::is_symlink(path) ? " (a broken link)" : ""));
}

void expect_weights(const fs::path& folder, const std::string& part, std::vector<std::string>& missing) {
  const auto absent = missing_weight_files(folder / part, part);
  for (const auto& name : absent) expect_file(folder, part + "/" + name, missing);
}

}  // namespace

std::string hub_id_of(const fs::path& folder) {
  const auto snapshots = fs::path(folder).parent_path();
  const auto name = snapshots.parent_path().filename().string();
  const std::string beginning = "models--";
  if (snapshots.filename() != "snapshots" || !name.starts_with(beginning)) return {};
  const auto id = name.substr(beginning.size());
  const auto at = id.find("--");
  return at == id.npos ? id : fmt::format("{}/{}", id.substr(0, at), id.substr(at + 2));
}

void check_snapshot(const fs::path& folder, const std::vector<std::string>& parts) {
  const auto id = hub_id_of(folder);
  if (id.empty()) return;
  std::vector<std::string> missing;
  expect_file(folder, "model_index.json", missing);
  for (const auto& part : parts) {
    expect_file(folder, part + "/config.json", missing);
    expect_weights(folder, part, missing);
  }
  if (missing.empty()) return;
  throw Error(ErrorKind::not_found,
              fmt::format("model {} is only partly downloaded ({}); missing: {}", id, folder.string(),
                          fmt::join(missing, ", ")),
              fmt::format("download the rest with: hf download {}", id));
}

}  // namespace w2w
