#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>

#include "foreign_lora.h"
#include "names.h"
#include "peft_config.h"
#include "w2w/base/error.h"
#include "w2w/base/read_file.h"
#include "w2w/io/tensor_file.h"
#include "w2w/lora/formats.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

// The reference code and diffusers save a pipeline's adapter in the subfolder of its model.
constexpr std::array folder_files = {
    "adapter_model.safetensors",        "adapter_model.bin",
    "pytorch_lora_weights.safetensors", "pytorch_lora_weights.bin",
    "unet/adapter_model.safetensors",   "unet/adapter_model.bin",
};

std::optional<fs::path> file_in(const fs::path& folder) {
  for (const auto* name : folder_files) {
    if (fs::is_regular_file(folder / name)) return folder / name;
  }
  return {};
}

std::optional<PeftConfig> configuration(const fs::path& path, const TensorFile& file,
                                        const std::string& part = "unet") {
  const auto beside = path.parent_path() / "adapter_config.json";
  if (path.stem() == "adapter_model" && fs::is_regular_file(beside)) {
    return PeftConfig(read_file(beside), beside.string(), part);
  }
  const auto header = file.metadata.find("lora_adapter_metadata");
  if (header == file.metadata.end()) return {};
  return PeftConfig(header->second, "lora_adapter_metadata of " + path.string(), part);
}

/// What a file says about one module.
struct Found {
  at::Tensor down, up, alpha;
  LoraFormat format = LoraFormat::diffusers;
};

using FoundModules = std::map<std::string, Found>;

/// What the file says of `modules`; of other ones into `others`, which are an error without it.
FoundModules collect(const fs::path& path, const TensorMap& tensors, const Targets& modules,
                     FoundModules* others) {
  const LoraKeyReader reader(modules);
  FoundModules found;
  std::vector<std::string> unknown;
  for (const auto& [name, tensor] : tensors) {
    auto key = reader.read(name);
    const bool other = !key && others;
    if (other) key = LoraKeyReader::read_other(name);
    if (!key) {
      unknown.push_back(name);
      continue;
    }
    auto& entry = (other ? *others : found)[key->module];
    auto& slot = key->part == LoraPart::down ? entry.down
                 : key->part == LoraPart::up ? entry.up
                                             : entry.alpha;
    if (slot.defined()) {
      throw Error(ErrorKind::malformed,
                  fmt::format("LoRA file ({}) holds two adapters: '{}' is given twice for {}", path.string(),
                              name, key->module));
    }
    slot = tensor;
    entry.format = key->format;
  }
  if (unknown.empty()) return found;
  const auto shown = std::min<size_t>(3, unknown.size());
  throw Error(
      ErrorKind::malformed,
      fmt::format("LoRA file ({}): {} of {} tensors belong to no layer that can be changed: {}{}",
                  path.string(), unknown.size(), tensors.size(),
                  fmt::join(unknown.begin(), unknown.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                  shown < unknown.size() ? ", ..." : ""),
      reader.hint(unknown.front()));
}

/// `target`: the matrix expected, or null for one whose shape is not known.
void check_shapes(const fs::path& path, const std::string& module, const Target* target, const Found& found) {
  const auto refuse = [&](const std::string& what, const std::string& hint = {}) {
    throw Error(ErrorKind::malformed,
                fmt::format("LoRA file ({}), module {}: {}", path.string(), module, what), hint);
  };
  if (!found.down.defined()) refuse("expected a pair of factors, found no down factor");
  if (!found.up.defined()) refuse("expected a pair of factors, found no up factor");
  const auto &down = found.down, &up = found.up;
  const bool pair = down.dim() == 2 && up.dim() == 2 && down.size(0) >= 1 && down.size(0) == up.size(1);
  if (!pair || (target && (down.size(1) != target->in || up.size(0) != target->out))) {
    refuse(
        fmt::format("expected down [r, {}] and up [{}, r], found down [{}] and up [{}]",
                    target ? std::to_string(target->in) : "in", target ? std::to_string(target->out) : "out",
                    fmt::join(down.sizes(), ", "), fmt::join(up.sizes(), ", ")),
        pair ? "it was made for another model: give that model, and a space of it" : "");
  }
  for (const auto& tensor : {down, up, found.alpha}) {
    if (!tensor.defined()) continue;
    if (!tensor.is_floating_point() && !tensor.is_same(found.alpha))
      refuse("expected floating-point factors");
    const bool narrow = tensor.is_floating_point() && tensor.element_size() == 1;
    if (!at::isfinite(narrow ? tensor.to(at::kFloat) : tensor).all().item<bool>())
      refuse("holds values that are not finite", "its training failed: leave it out, or train it again");
  }
  if (found.alpha.defined() && found.alpha.numel() != 1) {
    refuse(fmt::format("expected one value as alpha, found [{}]", fmt::join(found.alpha.sizes(), ", ")));
  }
}

Factors factors_of(const fs::path& path, const std::string& module, const Found& entry,
                   const std::optional<PeftConfig>& config) {
  Factors factors{entry.down.to(at::kFloat, false, true), entry.up.to(at::kFloat, false, true), 1.0};
  if (entry.alpha.defined()) {
    factors.scale = entry.alpha.item<double>() / static_cast<double>(factors.rank());
  } else if (config) {
    factors.scale = config->scale(module, factors.rank());
  } else if (entry.format == LoraFormat::peft) {
    throw Error(ErrorKind::malformed,
                fmt::format("LoRA file ({}) is in PEFT format and needs the scale from an "
                            "adapter_config.json beside it: there is none",
                            path.string()),
                "give the whole PEFT folder");
  }
  return factors;
}

/// What is outside of `modules`, where the scale only serves to say how much is left out.
Factors other_factors(const std::string& module, const Found& entry, const std::optional<PeftConfig>& unet,
                      const std::optional<PeftConfig>& text_encoder) {
  Factors factors{entry.down.to(at::kFloat, false, true), entry.up.to(at::kFloat, false, true), 1.0};
  const auto rank = factors.rank();
  const std::string text = "text_encoder.";
  if (entry.alpha.defined()) {
    factors.scale = entry.alpha.item<double>() / static_cast<double>(rank);
  } else if (module.starts_with(text)) {
    if (text_encoder) factors.scale = text_encoder->scale_of_any_rank(module.substr(text.size()), rank);
  } else if (unet) {
    factors.scale = unet->scale_of_any_rank(module, rank);
  }
  return factors;
}

LoraContents read(const fs::path& path_or_folder, const Targets& modules, bool others_allowed) {
  const auto path = lora_file(path_or_folder);
  const auto file = read_tensor_file(path);
  if (const auto foreign = foreign_lora(file.tensors)) {
    throw Error(
        ErrorKind::malformed,
        fmt::format("not a LoRA of Stable Diffusion 1.x or 2.x ({}): it is {}", path.string(), foreign->what),
        foreign->hint);
  }
  const auto config = configuration(path, file);
  FoundModules others;
  const auto found = collect(path, file.tensors, modules, others_allowed ? &others : nullptr);
  LoraContents contents;
  for (const auto& target : modules) {
    const auto at = found.find(target.module);
    if (at == found.end()) continue;
    check_shapes(path, target.module, &target, at->second);
    contents.lora[target.module] = factors_of(path, target.module, at->second, config);
  }
  const auto text_config = others.empty() ? std::nullopt : configuration(path, file, "text_encoder");
  for (auto& [module, entry] : others) {
    for (auto* factor : {&entry.down, &entry.up}) {
      if (factor->defined() && factor->dim() == 4) *factor = factor->flatten(1);
    }
    check_shapes(path, module, nullptr, entry);
    contents.others[module] = other_factors(module, entry, config, text_config);
  }
  return contents;
}

}  // namespace

fs::path lora_file(const fs::path& path) {
  if (!fs::exists(path)) throw Error(ErrorKind::not_found, fmt::format("no such LoRA ({})", path.string()));
  if (!fs::is_directory(path)) return path;
  if (auto file = file_in(path)) return *file;
  throw Error(ErrorKind::not_found, fmt::format("no LoRA in this folder ({}); expected one of: {}",
                                                path.string(), fmt::join(folder_files, ", ")));
}

bool is_lora_folder(const fs::path& folder) {
  return fs::is_directory(folder) && file_in(folder).has_value();
}

Lora read_lora(const fs::path& path, const Targets& modules) { return read(path, modules, false).lora; }

int64_t largest_rank(const TensorMap& tensors) {
  int64_t rank = 0;
  for (const auto& [name, tensor] : tensors) {
    const bool linear = tensor.dim() == 2;
    if (!linear || name.starts_with("lora_te") || name.starts_with("text_encoder")) continue;
    const auto key = LoraKeyReader::read_other(name);
    if (key && key->part == LoraPart::down) rank = std::max(rank, tensor.size(0));
  }
  return rank;
}

LoraContents read_lora_contents(const fs::path& path, const Targets& modules) {
  return read(path, modules, true);
}

}  // namespace w2w
