#include "cli/commands/identity_source.h"

#include <filesystem>

#include "w2w/base/error.h"
#include "w2w/io/tensor_file.h"
#include "w2w/lora/formats.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

/// The file's or folder's name, or its folder's where the file has the name of a format.
std::string stem_of(const std::string& identity) {
  auto path = fs::path(identity).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  const auto name = path.filename().string();
  const bool generic = name == "w2wmodel.pt" || name == "pytorch_lora_weights.safetensors" ||
                       name == "adapter_model.safetensors" || name == "adapter_model.bin" ||
                       name == "pytorch_lora_weights.bin";
  if (generic && path.has_parent_path()) return path.parent_path().filename().string();
  return fs::is_directory(path) ? name : path.stem().string();
}

}  // namespace

std::string IdentitySource::person() const {
  constexpr std::string_view lora = "_lora";
  return stem.ends_with(lora) && stem.size() > lora.size() ? stem.substr(0, stem.size() - lora.size()) : stem;
}

IdentitySource open_identity(const std::string& path) {
  if (!fs::exists(path))
    throw Error(ErrorKind::not_found, "no such identity (" + path + ")",
                "an identity is a coefficient file, a w2wmodel.pt, a LoRA file or a PEFT folder");
  IdentitySource source{path, stem_of(path), {}};
  if (is_identity(path)) source.coefficients = read_identity(path);
  return source;
}

Lora read_identity_lora(const std::string& path, const Targets& layers, const SharedOptions& options) {
  try {
    return read_lora(path, layers);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::malformed || options.model) throw;
    throw Error(error.kind(), error.what(),
                error.hint() + (error.hint().empty() ? "" : "; ") +
                    "no --model was given: a LoRA of another model than the demo world's needs it");
  }
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

}  // namespace w2w::cli
