#include "cli/options/lora_option.h"

#include <cstdlib>

#include "cli/options/option_values.h"

namespace w2w::cli {

void add_lora_option(CLI::App& parser, std::optional<LoraFormat>& format, const std::string& help) {
  add_named(parser, "--lora", format, lora_format_names(), help);
}

std::optional<int64_t> source_date() {
  constexpr int64_t end_of_9999 = 253'402'300'799;
  const char* date = std::getenv("SOURCE_DATE_EPOCH");
  if (!date || !*date) return {};
  return parse_integer("SOURCE_DATE_EPOCH", date, {0, end_of_9999});
}

}  // namespace w2w::cli
