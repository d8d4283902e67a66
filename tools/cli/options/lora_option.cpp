#include "cli/options/lora_option.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>

#include "cli/options/option_values.h"

namespace w2w::cli {

CLI::Option* add_lora_format(CLI::App& parser, const std::string& names, std::function<void(LoraFormat)> set,
                             const std::string& help) {
  return add_value(parser, names, fmt::format("{}", fmt::join(lora_format_words(), "|")), help,
                   [set = std::move(set), name = display_name(names)](const std::string& text) {
                     check_choice(name, text, lora_format_words());
                     set(parse_lora_format(text));
                   });
}

void add_lora_option(CLI::App& parser, std::optional<LoraFormat>& format, const std::string& help) {
  add_lora_format(
      parser, "--lora", [&format](LoraFormat chosen) { format = chosen; },
      help + "; comfyui and a1111 read kohya's");
}

std::optional<int64_t> source_date() {
  constexpr int64_t end_of_9999 = 253'402'300'799;
  const char* date = std::getenv("SOURCE_DATE_EPOCH");
  if (!date || !*date) return {};
  return parse_integer("SOURCE_DATE_EPOCH", date, {0, end_of_9999});
}

}  // namespace w2w::cli
