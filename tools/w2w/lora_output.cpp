#include "w2w/lora_output.h"

#include <cstdlib>

#include "w2w/lora/formats.h"
#include "w2w/option_values.h"

namespace w2w::cli {

void add_lora_option(CLI::App& parser, std::optional<std::string>& format, const std::string& help) {
  add_choice(parser, "--lora", format, {"kohya", "peft", "diffusers"}, help);
}

std::string lora_suffix(const std::string& format) {
  return format == "peft" ? "_lora" : "_lora.safetensors";
}

std::optional<int64_t> source_date() {
  constexpr int64_t end_of_9999 = 253'402'300'799;
  const char* date = std::getenv("SOURCE_DATE_EPOCH");
  if (!date || !*date) return {};
  return parse_integer("SOURCE_DATE_EPOCH", date, {0, end_of_9999});
}

void write_lora(const OutputPath& output, const std::string& format, const Lora& lora,
                const std::string& name, const Identity& identity, bool no_metadata, c10::ScalarType dtype) {
  LoraFileOptions options;
  options.dtype = dtype;
  options.name = name;
  options.trigger = identity.trigger;
  options.date = source_date();
  if (!no_metadata) {
    options.metadata = {
        {"w2w.format", "1"}, {"w2w.model", identity.model}, {"w2w.history", identity.history}};
    if (!identity.space_hash.empty()) options.metadata["w2w.space"] = identity.space_hash;
    if (!identity.basis.empty()) options.metadata["w2w.basis"] = identity.basis;
  }
  if (format == "peft") return write_peft(output, lora, options);
  if (format == "diffusers") return write_diffusers(output, lora, options);
  write_kohya(output, lora, options);
}

}  // namespace w2w::cli
