#include "cli/files/lora_output.h"

#include "cli/options/lora_option.h"
#include "w2w/lora/formats.h"

namespace w2w::cli {

std::string lora_suffix(const std::string& format) {
  return format == "peft" ? "_lora" : "_lora.safetensors";
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
