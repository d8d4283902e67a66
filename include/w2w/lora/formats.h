#pragma once
// LoRA files of other tools. Every spelling of a tensor name is a row of one table (src/lora/names.cpp), read
// and written from there.

#include <c10/core/ScalarType.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "w2w/base/output_path.h"
#include "w2w/io/tensor_file.h"
#include "w2w/lora/factors.h"
#include "w2w/lora/model_family.h"
#include "w2w/lora/target.h"

namespace w2w {

/// Reads the LoRA at `path`, which is a file, a PEFT folder (adapter_config.json beside
/// adapter_model.safetensors or .bin) or a diffusers folder (pytorch_lora_weights.safetensors or .bin). The
/// format is told by the keys. `modules` are the linear layers the file may change: kohya's names do not say
/// where a dot was, so they are only readable against a list. The factors come as f32, the scale from .alpha
/// keys, adapter_config.json or lora_adapter_metadata, and is 1 without any. Error(not_found) when there is
/// nothing at `path` or no LoRA in that folder; Error(malformed), naming keys, when a key, a module, a shape
/// or a value does not fit.
Lora read_lora(const std::filesystem::path& path, const Targets& modules);

/// A LoRA file against a list of modules.
struct LoraContents {
  Lora lora;    ///< of those modules
  Lora others;  ///< of any others, such as the text encoder's; named as the file does, kernels [out, in, h,
                ///< w] flat
};

/// As read_lora, but a low-rank change of another matrix is no error.
LoraContents read_lora_contents(const std::filesystem::path& path, const Targets& modules);

/// The largest rank among the factors of a LoRA file's linear layers, less those of a text encoder, told by
/// their names; 0 where it has none.
int64_t largest_rank(const TensorMap& tensors);

/// The file of tensors that read_lora reads: `path` itself, or the one in that folder. Error(not_found).
std::filesystem::path lora_file(const std::filesystem::path& path);

/// Whether the folder holds a LoRA that read_lora would look for.
bool is_lora_folder(const std::filesystem::path& folder);

/// The layouts that are written. kohya: one file for A1111, ComfyUI, InvokeAI, sd-scripts,
/// stable-diffusion.cpp and diffusers; peft: a folder; diffusers: one file with diffusers' names.
enum class LoraFormat { kohya, peft, diffusers };
const std::vector<std::string>& lora_format_names();
const std::string& name_of(LoraFormat format);
/// Those names, then "comfyui" and "a1111", which read kohya's.
const std::vector<std::string>& lora_format_words();
/// Of lora_format_words(). Error(usage) for another one.
LoraFormat parse_lora_format(const std::string& name);

struct LoraFileOptions {
  c10::ScalarType dtype = c10::kHalf;           ///< of the tensors written
  std::string name;                             ///< ss_output_name and modelspec.title
  std::string trigger = "sks person";           ///< modelspec.trigger_phrase
  LoraModel model;                              ///< what kohya's metadata say of it is this and the shapes
  std::optional<int64_t> date;                  ///< seconds since 1970 (SOURCE_DATE_EPOCH); no date without
  std::map<std::string, std::string> metadata;  ///< further entries, such as w2w.*
};

/// By one of the writers below. The same input gives the same bytes; Error(failure) when a value does not fit
/// the dtype.
void write_lora(const OutputPath& output, LoraFormat format, const Lora& lora,
                const LoraFileOptions& options);

/// The scale is folded into lora_up and no .alpha is written, because a missing alpha means 1 to all tools,
/// while a present one is misread by some (docs/formats.md).
void write_kohya(const OutputPath& output, const Lora& lora, const LoraFileOptions& options);

/// A folder, in the place of what is there if that may be replaced, with adapter_config.json and
/// adapter_model.safetensors; the scale stands in the configuration as lora_alpha / r when all modules share
/// rank and scale, otherwise it is folded into lora_B.
void write_peft(const OutputPath& output, const Lora& lora, const LoraFileOptions& options);

/// Whether a folder holds nothing but what PEFT writes, or nothing: only then write_peft takes its place,
/// otherwise it is Error(failure).
bool is_peft_folder_alone(const std::filesystem::path& folder);

/// pytorch_lora_weights.safetensors; the scale is folded into lora_B and no lora_adapter_metadata is written,
/// so that tools that ignore it agree with those that read it.
void write_diffusers(const OutputPath& output, const Lora& lora, const LoraFileOptions& options);

}  // namespace w2w
