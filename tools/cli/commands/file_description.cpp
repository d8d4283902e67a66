#include "cli/commands/file_description.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cli/terminal/reporter.h"
#include "w2w/base/error.h"
#include "w2w/base/read_file.h"
#include "w2w/device/device.h"
#include "w2w/io/image.h"
#include "w2w/io/json_depth.h"
#include "w2w/io/mapped_file.h"
#include "w2w/io/torch_value.h"
#include "w2w/space/identity.h"
#include "w2w/space/people_matrix.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

std::vector<TensorSummary> summaries(const TensorMap& tensors) {
  std::vector<TensorSummary> list;
  for (const auto& [name, tensor] : tensors) {
    list.push_back({name, dtype_name(tensor.scalar_type()), tensor.sizes().vec()});
  }
  return list;
}

/// The first row whose pattern occurs in a key names the format; kohya's before the others, whose endings it
/// shares.
struct LoraPattern {
  const char* pattern;
  const char* format;
  const char* down;  ///< how a down matrix's key ends
};
constexpr std::array<LoraPattern, 5> lora_patterns = {{
    {"lora_unet_", "kohya", ".lora_down.weight"},
    {"base_model.model.", "peft", "lora_A"},
    {".lora_A.", "diffusers", "lora_A"},
    {".lora.down.weight", "diffusers, old names", ".lora.down.weight"},
    {"_lora.down.weight", "diffusers attention processors", "_lora.down.weight"},
}};

const LoraPattern* lora_pattern(const TensorMap& tensors) {
  for (const auto& row : lora_patterns) {
    for (const auto& [name, tensor] : tensors) {
      if (name.find(row.pattern) != std::string::npos) return &row;
    }
  }
  return nullptr;
}

void describe_lora(FileDescription& description, const TensorMap& tensors, const LoraPattern& row) {
  description.kind = "lora";
  description.title = fmt::format("LoRA ({})", row.format);
  int64_t modules = 0, least = INT64_MAX, most = 0;
  bool alpha = false;
  for (const auto& [name, tensor] : tensors) {
    alpha |= name.ends_with(".alpha");
    if (name.find(row.down) == std::string::npos || tensor.dim() < 2) continue;
    ++modules;
    least = std::min(least, tensor.size(0));
    most = std::max(most, tensor.size(0));
  }
  description.facts["format"] = row.format;
  description.facts["modules"] = modules;
  if (modules > 0) {
    if (least == most)
      description.facts["rank"] = least;
    else
      description.facts["rank"] = fmt::format("{} to {}", least, most);
  }
  description.facts["alpha_keys"] = alpha;
}

void describe_identity(FileDescription& description, const Identity& identity, int64_t components) {
  description.facts["components"] = components;
  if (!identity.space_hash.empty()) description.facts["space"] = identity.space_hash;
  if (!identity.basis.empty()) description.facts["basis"] = identity.basis;
  if (!identity.model.empty()) description.facts["model"] = identity.model;
  description.facts["trigger"] = identity.trigger;
}

/// What write_directions writes, with or without the space it is of.
bool is_directions(const TensorFile& file) {
  const auto found = file.tensors.find("directions");
  return found != file.tensors.end() && found->second.dim() == 2 && file.metadata.contains("w2w.attributes");
}

void describe_directions(FileDescription& description, const TensorFile& file) {
  description.kind = "directions";
  description.title = "attribute directions of a w2w space";
  description.facts["components"] = file.tensors.at("directions").size(1);
  for (const auto& [fact, key] : {std::pair{"attributes", "w2w.attributes"}, {"without", "w2w.without"}}) {
    const auto found = file.metadata.find(key);
    if (found == file.metadata.end()) continue;
    auto names = parse_json(found->second);
    if (names.is_array()) description.facts[fact] = std::move(names);
  }
  for (const auto* fact : {"method", "penalty", "space"}) {
    const auto found = file.metadata.find(std::string("w2w.") + fact);
    if (found != file.metadata.end()) description.facts[fact] = found->second;
  }
}

bool is_checkpoint(const TensorMap& tensors) {
  return std::any_of(tensors.begin(), tensors.end(), [](const auto& entry) {
    return entry.first.find("model.diffusion_model.") != std::string::npos;
  });
}

/// A torch file holds one tensor without a name: coefficients are a row of numbers, and so are two files of
/// the released space.
bool is_some_other_tensor(const fs::path& path, const TensorFile& file) {
  if (file.format != "torch" || file.tensors.size() != 1) return false;
  const auto& tensor = file.tensors.begin()->second;
  const bool row = tensor.dim() == 1 || (tensor.dim() == 2 && tensor.size(0) == 1);
  return !row || path.filename() == "mean.pt" || path.filename() == "std.pt";
}

/// JSON, or values in a torch file, that are no tensors: weight_dimensions.pt of the release, for example.
FileDescription describe_values(const fs::path& path) {
  if (path.extension() == ".json") {
    const auto file = MappedFile::open(path);
    const auto text = file->bytes();
    // Not ordered_json, which looks for each key among all earlier ones.
    const auto json = is_json_too_deep(text) ? nlohmann::json(nlohmann::json::value_t::discarded)
                                             : nlohmann::json::parse(text.begin(), text.end(), nullptr,
                                                                     /*allow_exceptions=*/false);
    if (json.is_discarded()) {
      throw Error(ErrorKind::malformed, fmt::format("not a valid JSON file ({})", path.string()));
    }
    FileDescription description{.kind = "json", .title = "JSON"};
    constexpr size_t most_facts = 100;  // more are a vocabulary, not a configuration
    for (const auto& [name, value] : json.items()) {
      if (json.is_object() && json.size() <= most_facts && value.is_primitive())
        description.facts[name] = value;
    }
    description.facts["entries"] = json.size();
    return description;
  }
  FileDescription description{.kind = "values", .title = "values that are not tensors"};
  description.facts["content"] = read_torch_file(path).description();
  return description;
}

}  // namespace

FileDescription describe_tensors(const fs::path& path) {
  const auto file = read_tensor_file(path);
  FileDescription description;
  description.metadata = file.metadata;
  description.tensors = summaries(file.tensors);
  if (is_people_matrix(path)) {
    const auto people = read_people_matrix(path);
    description.kind = "matrix";
    description.title = "many people: their coefficients in a w2w space";
    description.facts["people"] = people.size();
    if (!people.names.empty()) description.facts["first"] = people.names.front();
    if (!people.names.empty()) description.facts["last"] = people.names.back();
    describe_identity(description, people.first, people.coefficients.size(1));
  } else if (is_identity(path) && !is_some_other_tensor(path, file)) {
    const auto identity = read_identity(path);
    description.kind = "coefficients";
    description.title = "an identity: its coefficients in a w2w space";
    describe_identity(description, identity, identity.coefficients.numel());
  } else if (const auto* row = lora_pattern(file.tensors)) {
    describe_lora(description, file.tensors, *row);
  } else if (is_directions(file)) {
    describe_directions(description, file);
  } else if (is_checkpoint(file.tensors)) {
    description.kind = "checkpoint";
    description.title = "Stable Diffusion model in a single file";
  } else {
    description.kind = "tensors";
    description.title = "tensors";
  }
  int64_t values = 0, bytes = 0;
  for (const auto& [name, tensor] : file.tensors) {
    values += tensor.numel();
    bytes += static_cast<int64_t>(tensor.nbytes());
  }
  description.facts["file_format"] = file.format;
  description.facts["values"] = values;
  description.facts["tensor_bytes"] = bytes;
  return description;
}

FileDescription describe_file(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    throw Error(ErrorKind::not_found, fmt::format("there is no such file or folder ({})", path.string()));
  }
  if (fs::is_directory(path, error)) return describe_folder(path);
  if (is_stream(path)) {
    throw Error(
        ErrorKind::malformed,
        fmt::format("cannot inspect ({}): expected a file or folder, found a device or pipe", path.string()),
        "inspect reads a file more than once: save the input to a file first");
  }
  if (begins_like_picture(path)) return describe_picture(path);
  if (path.extension() == ".csv" || path.extension() == ".tsv") return describe_csv(path);
  if (path.extension() == ".json") return describe_values(path);
  try {
    return describe_tensors(path);
  } catch (const Error& tensor_error) {
    if (tensor_error.kind() != ErrorKind::malformed) throw;
    for (const auto describe : {describe_table, describe_values}) {
      try {
        return describe(path);
      } catch (const Error&) {
        continue;
      }
    }
    throw tensor_error;  // it is nothing else either: what is wrong with it as tensors says more
  }
}

}  // namespace w2w::cli
