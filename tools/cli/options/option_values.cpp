#include "cli/options/option_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"

namespace w2w::cli {
namespace {

constexpr char protection_mark = '\x01';

std::string unprotect(const std::string& text) {
  return !text.empty() && text.front() == protection_mark ? text.substr(1) : text;
}

template <typename Number>
std::optional<Number> whole_number(std::string_view text) {
  Number value{};
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string display_name(std::string_view names) {
  const size_t at = names.find("--");
  if (at == std::string_view::npos) return std::string(names);
  return std::string(names.substr(at, names.find(',', at) - at));
}

std::string listed(const std::vector<std::string>& names, std::string_view conjunction) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    const bool last = i + 1 == names.size();
    text += (i == 0 ? "" : last ? fmt::format(" {} ", conjunction) : ", ") + names[i];
  }
  return text;
}

int64_t parse_integer(const std::string& option, std::string_view text, IntegerRange range) {
  const auto value = whole_number<int64_t>(text);
  if (!value || *value < range.low || *value > range.high) {
    throw Error(ErrorKind::usage, fmt::format("{} expects a whole number from {} to {}, found '{}'", option,
                                              range.low, range.high, text));
  }
  return *value;
}

double parse_number(const std::string& option, std::string_view text, NumberRange range) {
  const auto value = whole_number<double>(text);
  if (!value || !(*value >= range.low && *value <= range.high)) {  // so that nan is refused
    throw Error(ErrorKind::usage, fmt::format("{} expects a number from {} to {}, found '{}'", option,
                                              range.low, range.high, text));
  }
  return *value;
}

bool is_number(std::string_view text) { return whole_number<double>(text).has_value(); }

bool parse_switch(const std::string& option, std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  if (lower == "true" || lower == "on" || lower == "yes" || lower == "1") return true;
  if (lower == "false" || lower == "off" || lower == "no" || lower == "0" || lower.empty()) return false;
  throw Error(ErrorKind::usage, fmt::format("{} expects true or false, found '{}'", option, text));
}

std::vector<std::string> parse_list(const std::string& option, std::string_view text, const std::string& what,
                                    const std::string& example) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size(); at = std::min(text.find(',', at), text.size()) + 1) {
    parts.emplace_back(text.substr(at, text.find(',', at) - at));
    if (parts.back().empty()) {
      throw Error(ErrorKind::usage,
                  fmt::format("{} expects {} separated by commas, found '{}'", option, what, text),
                  fmt::format("for example {} {}", option, example));
    }
  }
  return parts;
}

CLI::Option* add_value(CLI::App& app, const std::string& names, const std::string& value_name,
                       const std::string& help, std::function<void(const std::string&)> set) {
  auto* option = app.add_option(
      names,
      [set = std::move(set)](const CLI::results_t& values) {
        set(unprotect(values.back()));
        return true;
      },
      help);
  return option->type_name(value_name)
      ->type_size(1)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

CLI::Option* add_list(CLI::App& app, const std::string& names, std::vector<std::string>& target,
                      const std::string& value_name, const std::string& help) {
  auto* option = app.add_option(
      names,
      [&target](const CLI::results_t& values) {
        target.clear();
        for (const auto& value : values) target.push_back(unprotect(value));
        return true;
      },
      help);
  return option->type_name(value_name)
      ->type_size(1)
      ->expected(1, CLI::detail::expected_max_vector_size)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

CLI::Option* add_arguments(CLI::App& app, const std::string& name, std::vector<std::string>& target,
                           const std::string& help) {
  return add_list(app, name, target, "", help)->allow_extra_args(true);
}

CLI::Option* add_switch(CLI::App& app, const std::string& names, bool& target, const std::string& help) {
  return app.add_flag_function(
      names, [&target](int64_t count) { target = count > 0; }, help);
}

void check_choice(const std::string& option, const std::string& text,
                  const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) return;
  throw Error(ErrorKind::usage,
              fmt::format("unknown value '{}' of {}; expected {}", text, option, fmt::join(choices, ", ")),
              nearest_name(text, choices) ? suggest(text, choices) : "");
}

std::string protect_argument(const std::string& argument) {
  const bool list = argument.starts_with('[') && argument.ends_with(']');
  return list || argument == "++" ? protection_mark + argument : argument;
}

}  // namespace w2w::cli
