#include "cli/files/output_paths.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "w2w/base/atomic_file.h"
#include "w2w/base/atomic_folder.h"
#include "w2w/base/error.h"
#include "w2w/base/run.h"
#include "w2w/engine/picture_metadata.h"
#include "w2w/io/image.h"
#include "w2w/lora/formats.h"

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
  std::map<std::string_view, int64_t> count;
  for (const auto& one : planned) ++count[one.kind];
  for (const auto& candidate : planned) {
    if (count[candidate.kind] == 1 && suits(output, candidate)) return &candidate;
  }
  return nullptr;
}

/// Refuses -o FOLDER whose name ends like a picture's or weight file's that this command does not write, and
/// warns where it writes several of them.
void refuse_other_formats(const fs::path& output, const std::vector<PlannedOutput>& planned, const Run& run) {
  static const std::set<std::string> of_files = {".png", ".jpg",  ".webp",       ".gif",  ".bmp",
                                                 ".tif", ".tiff", ".avif",       ".heic", ".pt",
                                                 ".bin", ".ckpt", ".safetensors"};
  const auto extension = lower_extension(output);
  if (!of_files.contains(extension) || is_folder(output)) return;
  std::set<std::string> possible;
  for (const auto& one : planned) {
    if (suits(output, one)) {
      return run.warn(fmt::format("several {} files are written: {} is the folder that they go to", extension,
                                  output.string()));
    }
    for (auto& other : extensions_of(one)) possible.insert(std::move(other));
  }
  throw Error(
      ErrorKind::usage,
      fmt::format("--output: this command writes no {} files ({}); expected {}a folder", extension,
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

void check_existing(const fs::path& path, bool is_file, Existing existing) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) return;
  const auto refuse = [&](const std::string& what, const std::string& hint) {
    throw Error(ErrorKind::failure, fmt::format("{} ({})", what, path.string()), hint);
  };
  if (existing == Existing::refuse)
    refuse("the output exists already",
           "--force replaces it, --skip-existing leaves it, --number adds a new one, or choose another -o");
  if (is_folder(path) && is_file) refuse("the output is a folder, expected a file", "choose another -o");
  if (existing == Existing::replace && is_folder(path) && !is_peft_folder_alone(path))
    refuse("the output is a folder that holds other files", "--force replaces LoRAs only; choose another -o");
}

/// Two of `paths` with one name, if there are.
void check_different(const std::vector<OutputPath>& paths) {
  std::vector<const std::string*> names;
  for (const auto& output : paths) names.push_back(&output.path.native());
  std::sort(names.begin(), names.end(), [](const auto* a, const auto* b) { return *a < *b; });
  const auto same =
      std::adjacent_find(names.begin(), names.end(), [](const auto* a, const auto* b) { return *a == *b; });
  if (same == names.end()) return;
  throw Error(ErrorKind::usage, fmt::format("two outputs would have the same name ({})", **same),
              "give every identity and seed once");
}

bool is_taken(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

/// `path` with the words of a prompt in front of its extension: "sks person on the beach" gives
/// "_on-the-beach".
fs::path with_words(const fs::path& path, std::string prompt) {
  static const std::string person = "sks person";
  for (size_t at; (at = prompt.find(person)) != std::string::npos;) prompt.erase(at, person.size());
  constexpr size_t longest = 40;
  std::string words;
  for (const char c : prompt) {
    if (std::isalnum(static_cast<unsigned char>(c)) || (c & 0x80) != 0)
      words += c;
    else if (!words.empty() && words.back() != '-')
      words += '-';
    if (c == ' ' && words.size() > longest) break;
  }
  while (words.ends_with('-')) words.pop_back();
  auto name = path.stem().string() + "_" + (words.empty() ? "prompt" : words) + path.extension().string();
  return path.parent_path() / name;
}

/// Whether a picture is there that says that it was drawn with another prompt.
bool shows_another(const fs::path& path, const std::string& prompt) {
  if (!is_taken(path) || is_folder(path)) return false;
  try {
    const auto found = prompt_in(read_image(path).text);
    return found && *found != prompt;
  } catch (const Error&) {
    return false;
  }
}

/// Paths of which some exist, with the first number behind each stem under which none of that stem's does.
/// `stems`: of each path, how its name begins.
void number_taken(std::vector<OutputPath>& paths, const std::vector<std::string>& stems, const Run& run) {
  std::map<std::string, std::vector<fs::path*>> groups;
  for (size_t i = 0; i < paths.size(); ++i) groups[stems[i]].push_back(&paths[i].path);
  for (const auto& [stem, group] : groups) {
    run.check_stop();
    const auto numbered = [&stem = stem](const fs::path& path, int64_t number) {
      const auto rest = path.filename().string().substr(stem.size());
      return number == 1 ? path : path.parent_path() / fmt::format("{}-{}{}", stem, number, rest);
    };
    int64_t number = 1;
    while (std::any_of(group.begin(), group.end(),
                       [&](auto* path) { return is_taken(numbered(*path, number)); }))
      ++number;
    for (auto* path : group) *path = numbered(*path, number);
  }
}

struct Naming {
  fs::path folder;  ///< that all lie in
  std::vector<OutputPath> paths;
  std::vector<std::string> stems;  ///< of what is to be numbered
};

/// Nothing is made yet.
Naming name_outputs(const std::optional<std::string>& output, const std::vector<PlannedOutput>& planned,
                    Existing existing, const Run& run) {
  const fs::path given = output.value_or("");
  if (output && output->empty()) throw Error(ErrorKind::usage, "--output expects a file or folder, found ''");
  const auto* named = named_output(given, planned);
  if (!named) refuse_other_formats(given, planned, run);
  Naming naming{named ? given.parent_path() : given, {}, {}};
  auto& [folder, paths, stems] = naming;
  const bool one_stem = std::all_of(planned.begin(), planned.end(),
                                    [&](const auto& one) { return one.stem == planned.front().stem; });
  paths.reserve(planned.size());
  for (const auto& one : planned) {
    run.check_stop();
    const auto stem = named && one_stem ? given.stem().string() : one.stem;
    paths.emplace_back(&one == named ? given : folder / (stem + one.suffix), existing == Existing::replace);
    if (existing == Existing::number) stems.push_back(&one == named ? given.stem().string() : stem);
  }
  if (existing == Existing::refuse || existing == Existing::keep) {
    for (size_t i = 0; i < paths.size(); ++i) {
      const auto& [kind, stem, suffix, prompt] = planned[i];
      auto& path = paths[i].path;
      if (!prompt.empty() && &planned[i] != named && shows_another(path, prompt))
        path = with_words(path, prompt);
    }
  }
  check_different(paths);
  return naming;
}

}  // namespace

std::vector<OutputPath> plan_outputs(const std::optional<std::string>& output,
                                     const std::vector<PlannedOutput>& planned, Existing existing,
                                     const Run& run) {
  auto [folder, paths, stems] = name_outputs(output, planned, existing, run);
  if (!folder.empty()) make_folder(folder);
  remove_leftovers(folder, run);
  if (existing == Existing::number) number_taken(paths, stems, run);
  for (size_t i = 0; i < paths.size(); ++i) {
    run.check_stop();
    check_file_name(paths[i].path);
    check_existing(paths[i].path, fs::path("x" + planned[i].suffix).has_extension(), existing);
  }
  if (!paths.empty()) AtomicFile probe(paths.front());  // all lie in one folder: it can be written into
  return paths;
}

const OutputPath* PersonOutputs::find(std::string_view kind) const {
  const auto all_of_kind = all(kind);
  return all_of_kind.empty() ? nullptr : &all_of_kind.front();
}

const OutputPath& PersonOutputs::at(std::string_view kind) const {
  const auto* path = find(kind);
  TORCH_INTERNAL_ASSERT(path, "no output of kind ", kind);
  return *path;
}

std::span<const OutputPath> PersonOutputs::all(std::string_view kind) const {
  const auto first = std::find(kinds_.begin(), kinds_.end(), kind);
  const auto end = std::find_if(first, kinds_.end(), [&](std::string_view other) { return other != kind; });
  return paths_.subspan(static_cast<size_t>(first - kinds_.begin()), static_cast<size_t>(end - first));
}

void OutputPlan::add(std::vector<PlannedOutput> outputs) {
  starts_.push_back(planned_.size());
  for (auto& output : outputs) planned_.push_back(std::move(output));
}

void OutputPlan::settle(const std::optional<std::string>& output, Existing existing, const Run& run) {
  settle(plan_outputs(output, planned_, existing, run));
}

void OutputPlan::look_up(const std::optional<std::string>& output, const Run& run) {
  settle(name_outputs(output, planned_, Existing::keep, run).paths);
}

void OutputPlan::settle(std::vector<OutputPath> paths) {
  paths_ = std::move(paths);
  for (const auto& one : planned_) kinds_.push_back(one.kind);
  planned_ = {};
}

PersonOutputs OutputPlan::operator[](size_t person) const {
  const size_t first = starts_[person];
  const size_t end = person + 1 < starts_.size() ? starts_[person + 1] : paths_.size();
  return {std::span(paths_).subspan(first, end - first), std::span(kinds_).subspan(first, end - first)};
}

void keep_unfinished(const fs::path& checkpoint, bool force) {
  if (force || !fs::exists(checkpoint)) return;
  throw Error(ErrorKind::failure,
              fmt::format("there is the state of an unfinished run ({})", checkpoint.string()),
              "--resume continues it, --force starts over");
}

}  // namespace w2w::cli
