#include "w2w/space/release.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "readers.h"
#include "w2w/base/error.h"
#include "w2w/device/device.h"
#include "w2w/io/data_frame.h"
#include "w2w/io/tensor_file.h"
#include "w2w/io/torch_value.h"
#include "weight_dimensions.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;
using State = ReleaseFile::State;

constexpr int64_t published_parameters = 99'648;

struct Published {
  const char *name, *holds, *needed_for;
  bool required;
  int64_t size;  ///< bytes, of tables about
};

constexpr Published published_files[] = {
    {"V.pt", "principal components", "everything", true, published_parameters * 10'000 * 4},
    {"mean.pt", "mean of the parameters", "everything", true, published_parameters * 4},
    {"std.pt", "standard deviation of the parameters", "everything", true, published_parameters * 4},
    {"proj_1000pc.pt", "the training models' coefficients", "sample, edit, nearest", false,
     int64_t{64'974} * 4'000},
    {"identity_df.pt", "the training models' attributes", "edit, direction", false, 39'000'000},
    {"weight_dimensions.pt", "names and sizes of the factors", "", false, 20'000},
    {"pinverse_1000pc.pt", "pseudo-inverse of the coefficients", "", false, int64_t{64'974} * 4'000},
};

bool is_projections(const std::string& name) { return name.starts_with("proj_") && name.ends_with("pc.pt"); }

/// The published files, with the projections that are there in the place of proj_1000pc.pt.
std::vector<ReleaseFile> expected_files(const fs::path& folder) {
  std::vector<std::string> projections;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (auto name = entry.path().filename().string(); is_projections(name))
      projections.push_back(std::move(name));
  }
  std::sort(projections.begin(), projections.end());
  std::vector<ReleaseFile> files;
  for (const auto& [name, holds, needed_for, required, size] : published_files) {
    std::vector<std::string> names = {name};
    if (is_projections(name) && !projections.empty()) names = projections;
    for (const auto& each : names) {
      files.push_back({each, holds, needed_for, required, State::missing, 0, each == name ? size : 0, {}});
    }
  }
  return files;
}

/// "64,974"
std::string grouped(int64_t number) {
  auto digits = std::to_string(number);
  for (auto at = static_cast<int64_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

class Inspector {
 public:
  explicit Inspector(fs::path folder) : folder_(std::move(folder)), files_(expected_files(folder_)) {}

  std::vector<ReleaseFile> run() {
    for (const char* name : {"mean.pt", "std.pt"}) {  // what all others are compared with
      try {
        if (parameters_ == 0 && fs::exists(folder_ / name))
          parameters_ = read_released_vector(folder_ / name).numel();
      } catch (const Error&) {
        continue;
      }
    }
    for (auto& file : files_) look_at(file);
    expect_same_models();
    return std::move(files_);
  }

 private:
  void look_at(ReleaseFile& file) {
    const auto path = folder_ / file.name;
    std::error_code error;
    if (parameters_ != 0 && parameters_ != published_parameters)
      file.expected_size = 0;  // of another release
    if (!fs::exists(path, error)) {
      file.found = file.required             ? "the space cannot be opened without it"
                   : file.needed_for.empty() ? "not needed"
                                             : "needed for " + file.needed_for;
      return;
    }
    file.size = static_cast<int64_t>(fs::file_size(path, error));
    try {
      file.found = contents(file, path);
      file.state = State::whole;
      file.expected_size = file.size;
    } catch (const Error& problem) {
      file.state = State::wrong;
      file.found = problem.what();
      look_for_a_cut(file, path);
    }
  }

  /// A file of the release begins with its pickle, which says how many bytes of numbers follow; a zip without
  /// a directory at its end is cut as well.
  void look_for_a_cut(ReleaseFile& file, const fs::path& path) const {
    const auto extent = torch_file_extent(path);
    const auto twin = file.name == "mean.pt" ? "std.pt" : file.name == "std.pt" ? "mean.pt" : "";
    if (extent.declared > file.size) {
      file.expected_size = extent.declared;
    } else if (!extent.cut) {
      file.expected_size = 0;
      return;
    } else if (*twin && fs::exists(folder_ / twin)) {
      file.expected_size = static_cast<int64_t>(fs::file_size(folder_ / twin));
    }
    if (file.expected_size <= file.size) file.expected_size = 0;
    file.state = State::cut;
    file.found = "cut short: download it again";
  }

  std::string contents(const ReleaseFile& file, const fs::path& path) {
    if (file.name == "V.pt") {
      const auto components = read_released_components(path, parameters_);
      return fmt::format("{} components of {} parameters, {}", grouped(components.size(0)),
                         grouped(components.size(1)), dtype_name(components.scalar_type()));
    }
    if (file.name == "mean.pt" || file.name == "std.pt") {
      const auto values = read_released_vector(path);
      if (values.numel() != parameters_) {
        throw Error(ErrorKind::malformed,
                    fmt::format("expected {} values, found {}", parameters_, values.numel()));
      }
      return grouped(values.numel()) + " parameters";
    }
    if (is_projections(file.name)) {
      const auto projections = read_released_projections(path);
      if (models_ == 0) models_ = projections.size(0);
      return fmt::format("{} models, {} components, {}", grouped(projections.size(0)),
                         grouped(projections.size(1)), dtype_name(projections.scalar_type()));
    }
    if (file.name == "identity_df.pt") return table(path);
    if (file.name == "weight_dimensions.pt") return dimensions(path);
    const auto file_tensors = read_tensor_file(path).tensors;
    return fmt::format("[{}], not needed", fmt::join(file_tensors.begin()->second.sizes(), ", "));
  }

  std::string table(const fs::path& path) {
    const auto labels = read_label_table(path);
    labelled_ = static_cast<int64_t>(labels.rows.size());
    return fmt::format("{} models, {} attributes", grouped(labelled_), labels.columns.size());
  }

  std::string dimensions(const fs::path& path) const {
    const auto counts = read_weight_dimensions(path);
    int64_t sum = 0;
    for (const auto& [name, count] : counts) sum += count;
    if (parameters_ != 0 && sum != parameters_) {
      throw Error(ErrorKind::malformed, fmt::format("expected factors of {} values in all, found {} of {}",
                                                    parameters_, counts.size(), sum));
    }
    return fmt::format("{} factors, not needed", counts.size());
  }

  /// Labels and coefficients are of the same models, row by row.
  void expect_same_models() {
    if (models_ == 0 || labelled_ == 0 || models_ == labelled_) return;
    for (auto& file : files_) {
      if (file.name != "identity_df.pt") continue;
      file.state = State::wrong;
      file.found = fmt::format("expected {} rows, as the coefficients have, found {}", models_, labelled_);
    }
  }

  fs::path folder_;
  std::vector<ReleaseFile> files_;
  int64_t parameters_ = 0, models_ = 0, labelled_ = 0;
};

}  // namespace

std::optional<fs::path> release_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder / "space.json", error)) return std::nullopt;
  for (const auto& place : {folder, folder / "files"}) {
    for (const char* name : {"V.pt", "mean.pt", "std.pt"}) {
      if (fs::exists(place / name, error)) return place;
    }
  }
  return std::nullopt;
}

std::vector<ReleaseFile> inspect_release(const fs::path& folder) { return Inspector(folder).run(); }

}  // namespace w2w
