#pragma once
#include <CLI/App.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "w2w/lora/formats.h"

namespace w2w::cli {

/// An option whose value is one of lora_format_words().
CLI::Option* add_lora_format(CLI::App& parser, const std::string& names, std::function<void(LoraFormat)> set,
                             const std::string& help);

/// `--lora kohya|peft|diffusers|...`, for commands that write LoRAs beside something else.
void add_lora_option(CLI::App& parser, std::optional<LoraFormat>& format, const std::string& help);

/// SOURCE_DATE_EPOCH, seconds since 1970; Error(usage) for what is no date up to the year 9999.
std::optional<int64_t> source_date();

}  // namespace w2w::cli
