#include "w2w/engine/person_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "w2w/base/error.h"
#include "w2w/io/tensor_file.h"
#include "w2w/lora/formats.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

/// The file's or folder's name, or its folder's where the file has the name of a format.
std::string stem_of(const std::string& given) {
  auto path = fs::path(given).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  const auto name = path.filename().string();
  const bool generic = name == "w2wmodel.pt" || name == "pytorch_lora_weights.safetensors" ||
                       name == "adapter_model.safetensors" || name == "adapter_model.bin" ||
                       name == "pytorch_lora_weights.bin";
  if (generic && path.has_parent_path()) return path.parent_path().filename().string();
  return fs::is_directory(path) ? name : path.stem().string();
}

bool is_lora(const std::string& path) {
  if (is_lora_folder(path)) return true;
  if (fs::is_directory(path)) return false;
  const auto tensors = read_tensor_file(path).tensors;
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const auto& entry) { return entry.first.find("lora") != std::string::npos; });
}

}  // namespace

std::string PersonFile::person() const {
  constexpr std::string_view lora = "_lora";
  return stem.ends_with(lora) && stem.size() > lora.size() ? stem.substr(0, stem.size() - lora.size()) : stem;
}

PersonFile open_person(const std::string& path) {
  if (!fs::exists(path))
    throw Error(ErrorKind::not_found, "no such identity (" + path + ")",
                "an identity is a coefficient file, a w2wmodel.pt, a LoRA file or a PEFT folder");
  PersonFile person{path, stem_of(path), {}};
  if (is_identity(path)) person.coefficients = read_identity(path);
  return person;
}

PersonFile open_person(std::string_view bytes, const std::string& name) {
  MemoryFile file(bytes);
  auto person = open_person(file.path().string());
  person.stem = fs::path(name).filename().stem().string();
  person.bytes = std::move(file);
  return person;
}

Identity read_coefficients(const PersonFile& person) {
  if (person.coefficients) return *person.coefficients;
  if (!is_lora(person.path)) return read_identity(person.path);  // says what is wrong with it
  throw Error(ErrorKind::usage, fmt::format("edit needs coefficients, found a LoRA ({})", person.path),
              "<import> converts a LoRA to coefficients");
}

std::string trigger_of(const PersonFile& person) {
  if (person.coefficients) return person.coefficients->trigger;
  const auto metadata = read_tensor_file(lora_file(person.path)).metadata;
  const auto found = metadata.find("modelspec.trigger_phrase");
  return found == metadata.end() ? "" : found->second;
}

Identity describe_lora(const std::string& path) {
  Identity identity;
  const auto metadata = read_tensor_file(lora_file(path)).metadata;
  const auto take = [&](const char* key, std::string& value) {
    if (const auto found = metadata.find(key); found != metadata.end()) value = found->second;
  };
  take("w2w.space", identity.space_hash);
  take("w2w.basis", identity.basis);
  take("w2w.model", identity.model);
  take("w2w.history", identity.history);
  take("modelspec.trigger_phrase", identity.trigger);
  return identity;
}

}  // namespace w2w
