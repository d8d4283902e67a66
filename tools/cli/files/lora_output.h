#pragma once
#include <c10/core/ScalarType.h>

#include <filesystem>
#include <optional>
#include <string>

#include "w2w/lora/formats.h"
#include "w2w/lora/model_family.h"
#include "w2w/sd/checkpoint.h"
#include "w2w/space/identity.h"
#include "w2w/space/space.h"

namespace w2w::cli {

/// ".safetensors", or "" for a PEFT folder.
std::string lora_extension(LoraFormat format);

/// What a person's LoRA is called beside its coefficients: "_lora" and the extension.
std::string lora_suffix(LoraFormat format);

/// What `space` and `checkpoint` tell of the model that a LoRA of theirs is made for; either may be null.
LoraModel lora_model(const Checkpoint* checkpoint, const Space* space);

/// What such a LoRA may be used with, in words: "Stable Diffusion 1.x". `name`: of its model, or empty.
std::string fitting_models(const Lora& lora, const LoraModel& model, const std::string& name);

/// `identity`: where it comes from, for the metadata.
void write_lora(const OutputPath& output, LoraFormat format, const Lora& lora, const std::string& name,
                const Identity& identity, const LoraModel& model, bool no_metadata,
                c10::ScalarType dtype = c10::kHalf);

}  // namespace w2w::cli
