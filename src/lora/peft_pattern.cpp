#include "peft_pattern.h"

#include <fmt/format.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <memory>

#include "w2w/base/error.h"

namespace w2w {
namespace {

std::string reason(int error) {
  char text[256] = {};
  pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR8*>(text), sizeof(text));
  return text;
}

std::shared_ptr<pcre2_code> compile(const std::string& expression, const std::string& where) {
  const auto whole = R"((.*\.)?()" + expression + ")$";
  int error = 0;
  size_t offset = 0;
  const std::shared_ptr<pcre2_code> code(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR8>(whole.data()), whole.size(), PCRE2_ANCHORED | PCRE2_UTF,
                    &error, &offset, nullptr),
      &pcre2_code_free);
  if (code) return code;
  throw Error(ErrorKind::malformed,
              fmt::format("{}: expected a regular expression of module names, found '{}': {}", where,
                          expression, reason(error)));
}

}  // namespace

PeftPattern::PeftPattern(const std::vector<std::pair<std::string, double>>& entries, const std::string& where)
    : where_(where) {
  for (const auto& [expression, value] : entries)
    entries_.push_back({expression, compile(expression, where), value});
}

bool PeftPattern::matches(const Entry& entry, const std::string& module) const {
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> found(
      pcre2_match_data_create_from_pattern(entry.compiled.get(), nullptr), &pcre2_match_data_free);
  const int result = pcre2_match(entry.compiled.get(), reinterpret_cast<PCRE2_SPTR8>(module.data()),
                                 module.size(), 0, 0, found.get(), nullptr);
  if (result >= 0 || result == PCRE2_ERROR_NOMATCH) return result >= 0;
  throw Error(ErrorKind::malformed,
              fmt::format("{}: the regular expression '{}' cannot be matched with {}: {}", where_,
                          entry.expression, module, reason(result)));
}

double PeftPattern::value_of(const std::string& module, double otherwise) const {
  for (const auto& entry : entries_) {
    if (matches(entry, module)) return entry.value;
  }
  return otherwise;
}

}  // namespace w2w
