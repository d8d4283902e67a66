#include "w2w/output_paths.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

std::string lower_extension(const fs::path& path) {
  auto extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension == ".jpeg" ? ".jpg" : extension;
}

bool is_folder(const fs::path& path) {
  std::error_code error;  // of a path that cannot be looked at: whoever writes to it says more
  return fs::is_directory(path, error);
}

/// The extensions that an output may be given.
std::vector<std::string> extensions_of(const PlannedOutput& planned) {
  const auto own = lower_extension("x" + planned.suffix);
  if (planned.kind == "picture" || planned.kind == "sheet") return {".png", ".jpg"};
  if (planned.kind == "coefficients" && own == ".safetensors") return {own, ".pt"};
  return own.empty() ? std::vector<std::string>() : std::vector{own};
}

bool suits(const fs::path& output, const PlannedOutput& planned) {
  const auto all = extensions_of(planned);
  return std::find(all.begin(), all.end(), lower_extension(output)) != all.end();
}

/// The planned output that `output` names, if it names one.
const PlannedOutput* named_output(const fs::path& output, const std::vector<PlannedOutput>& planned) {
  if (output.extension().empty() || !output.has_filename() || is_folder(output)) return nullptr;
  for (const auto& candidate : planned) {
    const bool only_one = std::count_if(planned.begin(), planned.end(), [&](const PlannedOutput& other) {
                            return other.kind == candidate.kind;
                          }) == 1;
    if (only_one && suits(output, candidate)) return &candidate;
  }
  return nullptr;
}

/// A folder with the name of a picture or of weights that none of the outputs can be is nobody's wish.
void refuse_other_formats(const fs::path& output, const std::vector<PlannedOutput>& planned) {
  static const std::set<std::string> of_files = {".png",  ".jpg",  ".webp", ".gif", ".bmp",  ".tif",
                                                 ".tiff", ".avif", ".pt",   ".bin", ".ckpt", ".safetensors"};
  const auto extension = lower_extension(output);
  if (!of_files.contains(extension) || is_folder(output)) return;
  std::set<std::string> possible;
  for (const auto& one : planned) {
    if (suits(output, one)) return;  // several would have the name
    for (auto& other : extensions_of(one)) possible.insert(std::move(other));
  }
  throw Error(
      ErrorKind::usage,
      fmt::format("--output: nothing here is written as {} ({}); expected {}a folder", extension,
                  output.string(), possible.empty() ? "" : fmt::format("{} or ", fmt::join(possible, ", "))));
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw Error(ErrorKind::failure,
                fmt::format("cannot make the output folder ({}): {}", folder.string(), error.message()));
  }
}

void check_writable(const fs::path& path, bool force) {
  std::error_code error;
  const auto status = fs::symlink_status(path, error);
  if (fs::exists(status) && !force) {
    throw Error(ErrorKind::failure, fmt::format("the output exists already ({})", path.string()),
                "pass --force to replace it, or choose another -o");
  }
  if (fs::is_directory(fs::status(path, error)) && path.has_extension()) {
    throw Error(ErrorKind::failure,
                fmt::format("the output is a folder, expected a file ({})", path.string()));
  }
  AtomicFile probe(path);  // makes a temporary file beside it and removes it again
}

}  // namespace

std::vector<fs::path> plan_outputs(const std::optional<std::string>& output,
                                   const std::vector<PlannedOutput>& planned, bool force) {
  const fs::path given = output.value_or("");
  if (output && output->empty()) throw Error(ErrorKind::usage, "--output expects a file or folder, found ''");
  const auto* named = named_output(given, planned);
  if (!named) refuse_other_formats(given, planned);
  const fs::path folder = named ? given.parent_path() : given;
  std::vector<fs::path> paths;
  std::set<fs::path> seen;
  for (const auto& one : planned) {
    const auto stem = named ? given.stem().string() : one.stem;
    paths.push_back(&one == named ? given : folder / (stem + one.suffix));
    if (!seen.insert(paths.back()).second) {
      throw Error(ErrorKind::usage,
                  fmt::format("two outputs would have the same name ({})", paths.back().string()),
                  "give every identity and seed once");
    }
  }
  if (!folder.empty()) make_folder(folder);
  for (const auto& path : paths) check_writable(path, force);
  return paths;
}

void keep_unfinished(const fs::path& checkpoint, bool force) {
  if (force || !fs::exists(checkpoint)) return;
  throw Error(ErrorKind::failure, fmt::format("an earlier run left its state here ({})", checkpoint.string()),
              "--resume goes on with it, --force begins anew");
}

}  // namespace w2w::cli
