#include "cli/files/lora_output.h"

#include "cli/options/lora_option.h"

namespace w2w::cli {

std::string lora_extension(LoraFormat format) { return format == LoraFormat::peft ? "" : ".safetensors"; }

std::string lora_suffix(LoraFormat format) { return "_lora" + lora_extension(format); }

void write_lora(const OutputPath& output, LoraFormat format, const Lora& lora, const std::string& name,
                const Identity& identity, bool no_metadata, c10::ScalarType dtype) {
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
  w2w::write_lora(output, format, lora, options);
}

}  // namespace w2w::cli
