#pragma once
#include <c10/core/ScalarType.h>

#include <filesystem>
#include <optional>
#include <string>

#include "w2w/lora/factors.h"
#include "w2w/space/identity.h"

namespace w2w::cli {

/// What a person's LoRA is called beside its coefficients: "_lora.safetensors", or "_lora" for a PEFT folder.
std::string lora_suffix(const std::string& format);

/// Writes `lora` as "kohya", "peft" or "diffusers". `identity`: where it comes from, for the metadata.
void write_lora(const OutputPath& output, const std::string& format, const Lora& lora,
                const std::string& name, const Identity& identity, bool no_metadata,
                c10::ScalarType dtype = c10::kHalf);

}  // namespace w2w::cli
