#pragma once
#include <c10/core/ScalarType.h>

#include <filesystem>
#include <optional>
#include <string>

#include "w2w/lora/formats.h"
#include "w2w/space/identity.h"

namespace w2w::cli {

/// ".safetensors", or "" for a PEFT folder.
std::string lora_extension(LoraFormat format);

/// What a person's LoRA is called beside its coefficients: "_lora" and the extension.
std::string lora_suffix(LoraFormat format);

/// `identity`: where the LoRA comes from, for the metadata.
void write_lora(const OutputPath& output, LoraFormat format, const Lora& lora, const std::string& name,
                const Identity& identity, bool no_metadata, c10::ScalarType dtype = c10::kHalf);

}  // namespace w2w::cli
