#include "w2w/space/build/model_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "w2w/base/error.h"
#include "w2w/base/run.h"
#include "w2w/io/csv_reader.h"
#include "w2w/io/data_frame.h"
#include "w2w/io/json_depth.h"
#include "w2w/io/mapped_file.h"
#include "w2w/io/tensor_file.h"
#include "w2w/lora/formats.h"
#include "w2w/space/identity.h"
#include "w2w/space/space.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

bool is_one_of(const std::string& text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

/// A file's stem or a folder's name, without the "_lora" that `sample` and `export` append.
std::string person_of(const fs::path& given) {
  auto path = given.lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  const bool generic = is_one_of(path.stem().string(), {"adapter_model", "pytorch_lora_weights"});
  if (generic && path.has_parent_path()) path = path.parent_path();
  auto name = fs::is_directory(path) ? path.filename().string() : path.stem().string();
  constexpr std::string_view lora = "_lora";
  if (name.ends_with(lora) && name.size() > lora.size()) name.resize(name.size() - lora.size());
  return name;
}

/// A matrix of weight vectors; "coefficients" are another matrix of people.
const at::Tensor* matrix_in(const TensorFile& file) {
  if (file.tensors.size() != 1 || file.tensors.contains("coefficients")) return nullptr;
  const auto& tensor = file.tensors.begin()->second;
  return tensor.dim() == 2 && tensor.size(0) > 1 && tensor.is_floating_point() ? &tensor : nullptr;
}

std::vector<std::string> names_beside(const fs::path& path, int64_t models, const Run& run) {
  for (const char* extension : {".csv", ".txt"}) {
    auto beside = path;
    beside.replace_extension(extension);
    if (!fs::is_regular_file(beside)) continue;
    auto names = read_model_names(beside, run);
    if (static_cast<int64_t>(names.size()) == models) return names;
    run.warn(fmt::format("{} has names for {} models, but {} has {} models: the names are not used",
                         beside.string(), names.size(), path.string(), models));
  }
  return std::vector<std::string>(static_cast<size_t>(models));
}

ModelSource matrix_source(const fs::path& path, const TensorFile& file, int64_t models, const Run& run) {
  const auto found = file.metadata.find("names");
  if (found == file.metadata.end()) {
    return {ModelSource::Kind::matrix, path, names_beside(path, models, run), 1};
  }
  const auto list = is_json_too_deep(found->second) ? nlohmann::json()
                                                    : nlohmann::json::parse(found->second, nullptr, false);
  const auto text = [](const nlohmann::json& name) { return name.is_string(); };
  if (!list.is_array() || static_cast<int64_t>(list.size()) != models ||
      !std::all_of(list.begin(), list.end(), text)) {
    throw Error(ErrorKind::malformed,
                fmt::format("expected 'names' to be a JSON list of {} texts, one for each row ({})", models,
                            path.string()));
  }
  return {ModelSource::Kind::matrix, path, list.get<std::vector<std::string>>(), 1};
}

ModelSource space_source(const fs::path& path, const Run& run) {
  const auto space = Space::open(path, nullptr, run);
  const auto& data = space.data();
  if (!data.projections.defined()) {
    throw Error(ErrorKind::failure,
                fmt::format("space ({}) has no projections of its training models to reconstruct them from",
                            path.string()),
                "give the models themselves, or the matrix kept with <weights>");
  }
  auto names = data.names;
  names.resize(static_cast<size_t>(data.projections.size(0)));
  return {ModelSource::Kind::space, path, names, 1};
}

ModelSource lora_source(const fs::path& path, const TensorFile& file) {
  return {ModelSource::Kind::lora, path, {person_of(path)}, std::max<int64_t>(1, largest_rank(file.tensors))};
}

[[noreturn]] void refuse_coefficients(const fs::path& path) {
  throw Error(
      ErrorKind::malformed,
      fmt::format("coefficients of a person ({}): expected a LoRA or a matrix of models", path.string()),
      "<export> makes a LoRA of coefficients");
}

ModelSource file_source(const fs::path& path, const Run& run) {
  const auto file = read_tensor_file(path);
  if (const auto* matrix = matrix_in(file)) return matrix_source(path, file, matrix->size(0), run);
  if (is_identity(path)) refuse_coefficients(path);
  return lora_source(path, file);
}

/// A folder's LoRAs in order of their names, also those one level below.
class FolderScan {
 public:
  FolderScan(fs::path folder, const Run& run) : folder_(std::move(folder)), run_(run) {}

  std::vector<ModelSource> run() {
    collect(folder_, true);
    std::sort(candidates_.begin(), candidates_.end());
    std::vector<ModelSource> sources;
    for (size_t i = 0; i < candidates_.size(); ++i) {
      run_.check_stop();
      if (auto source = inspect(candidates_[i])) sources.push_back(std::move(*source));
      if (candidates_.size() > 1000)
        run_.report({"looking", static_cast<int64_t>(i + 1), static_cast<int64_t>(candidates_.size()), {}});
    }
    if (sources.empty()) {
      throw Error(ErrorKind::not_found,
                  fmt::format("no LoRA in this folder ({}): expected LoRA files or PEFT folders, here or one "
                              "level below",
                              folder_.string()));
    }
    return sources;
  }

 private:
  void collect(const fs::path& folder, bool deeper) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      const auto& path = entry.path();
      const auto name = path.filename().string();
      if (name.starts_with('.') || name.ends_with(".building")) continue;
      if (!entry.is_directory()) {
        if (is_candidate(path)) candidates_.push_back(path);
      } else if (is_lora_folder(path)) {
        candidates_.push_back(path);
      } else if (deeper && !is_space_folder(path) && !fs::exists(path / "model_index.json")) {
        collect(path, false);
      }
    }
  }

  /// By the name alone: files of tensors but for what trainings leave beside their LoRAs.
  static bool is_candidate(const fs::path& path) {
    const auto stem = path.stem().string();
    return is_one_of(path.extension().string(), {".safetensors", ".pt", ".bin"}) &&
           !stem.ends_with("_checkpoint") && !is_one_of(stem, {"optimizer", "scheduler", "training_args"});
  }

  static std::optional<ModelSource> inspect(const fs::path& path) {
    const auto file = read_tensor_file(lora_file(path));
    if (matrix_in(file)) {
      throw Error(ErrorKind::malformed,
                  fmt::format("this folder of LoRAs contains a matrix ({})", path.string()),
                  "pass the matrix itself as a source");
    }
    if (!fs::is_directory(path) && is_identity(path)) return {};
    return lora_source(path, file);
  }

  fs::path folder_;
  const Run& run_;
  std::vector<fs::path> candidates_;
};

}  // namespace

std::vector<ModelSource> find_model_sources(const std::vector<fs::path>& paths, const Run& run) {
  std::vector<ModelSource> sources;
  for (const auto& path : paths) {
    if (!fs::exists(path)) {
      throw Error(ErrorKind::not_found, fmt::format("no such source of models ({})", path.string()),
                  "a source is a LoRA, a folder of LoRAs, a matrix file or a space");
    }
    if (!fs::is_directory(path)) {
      sources.push_back(file_source(path, run));
    } else if (is_space_folder(path)) {
      sources.push_back(space_source(path, run));
    } else if (is_lora_folder(path)) {
      sources.push_back(lora_source(path, read_tensor_file(lora_file(path))));
    } else {
      for (auto& source : FolderScan(path, run).run()) sources.push_back(std::move(source));
    }
  }
  return sources;
}

at::Tensor read_model_matrix(const fs::path& path) {
  const auto file = read_tensor_file(path);
  if (const auto* matrix = matrix_in(file)) return *matrix;
  const auto& first = file.tensors.begin()->second;
  throw Error(ErrorKind::malformed,
              fmt::format("expected one matrix of models [n, P] ({}), found {} of shape [{}]", path.string(),
                          file.tensors.size(), fmt::join(first.sizes(), ", ")));
}

std::vector<std::string> read_model_names(const fs::path& path, const Run& run) {
  const auto file = MappedFile::open_or_read(path, run);
  if (file->bytes().starts_with("PK\3\4") || file->bytes().starts_with('\x80')) {
    return read_row_names(path, run);
  }
  const bool plain = path.extension() == ".txt";
  auto reader = plain ? CsvReader(*file, ',') : CsvReader(*file);
  std::vector<std::string> names;
  while (reader.next()) {
    if (plain) {
      names.push_back(fmt::format("{}", fmt::join(reader.cells(), ",")));
    } else if (reader.line() > 1) {
      names.push_back(reader.cells().front());
    }
  }
  if (names.empty()) reader.fail("expected names of models, found none");
  std::set<std::string_view> seen;
  for (const auto& name : names) {
    if (!seen.insert(name).second) reader.fail(fmt::format("contains '{}' twice", name));
  }
  return names;
}

}  // namespace w2w
