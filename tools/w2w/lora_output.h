#pragma once
#include <c10/core/ScalarType.h>

#include <CLI/App.hpp>
#include <filesystem>
#include <optional>
#include <string>

#include "w2w/lora/factors.h"
#include "w2w/space/identity.h"

namespace w2w::cli {

/// `--lora kohya|peft|diffusers`, for commands that write LoRAs beside something else.
void add_lora_option(CLI::App& parser, std::optional<std::string>& format, const std::string& help);

/// What a person's LoRA is called beside its coefficients: "_lora.safetensors", or "_lora" for a PEFT folder.
std::string lora_suffix(const std::string& format);

/// SOURCE_DATE_EPOCH, seconds since 1970; Error(usage) for what is no date up to the year 9999.
std::optional<int64_t> source_date();

/// Writes `lora` as "kohya", "peft" or "diffusers". `identity`: where it comes from, for the metadata.
void write_lora(const OutputPath& output, const std::string& format, const Lora& lora,
                const std::string& name, const Identity& identity, bool no_metadata,
                c10::ScalarType dtype = c10::kHalf);

}  // namespace w2w::cli
