#include "cli/app/config_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "w2w/base/error.h"
#include "w2w/base/read_file.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace w2w::cli {
namespace {

/// toml++ 3.3 takes dotted keys apart by recursion: 100,000 of them overflow the stack, and values may nest
/// 256 levels, each with keys of its own in one line.
constexpr int64_t max_dots_in_line = 100;

std::string_view line_of(std::string_view text, size_t number) {
  for (size_t i = 1; i < number; ++i) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  text = text.substr(0, text.find('\n'));
  return text.ends_with('\r') ? text.substr(0, text.size() - 1) : text;
}

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

/// The line and below it a caret at the column (in characters, from 1); of a long line, what is near it.
std::string pointed_at(std::string_view line, size_t column) {
  constexpr size_t before = 50, width = 72;
  const size_t skipped = column > before ? column - before : 0;
  std::string shown;
  size_t character = 0;
  for (const char c : line) {
    if (begins_character(c)) ++character;
    if (character > skipped && character <= skipped + width) shown += c == '\t' ? ' ' : c;
  }
  const bool more = character > skipped + width;
  return fmt::format("    {}{}{}\n    {:>{}}", skipped ? "..." : "", shown, more ? "..." : "", "^",
                     column - skipped + (skipped ? 3 : 0));
}

/// 3.0 stays a number with a point: an option that counts refuses it.
std::string decimal(double value) {
  auto text = fmt::format("{}", value);
  return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
}

class ConfigReader {
 public:
  ConfigReader(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  std::vector<ConfigEntry> read() {
    check_dots();
    const auto parsed = toml::parse(text_, path_);
    if (!parsed) fail(lower_case(parsed.error().description()), parsed.error().source().begin);
    add_table(parsed.table(), "");
    const auto place = [](const ConfigEntry& entry) { return std::tuple(entry.line, entry.column); };
    std::sort(entries_.begin(), entries_.end(), [&](auto& a, auto& b) { return place(a) < place(b); });
    return std::move(entries_);
  }

 private:
  void add_table(const toml::table& table, const std::string& section) {
    for (const auto& [key, value] : table) {
      const std::string name(key.str());
      if (const auto* inner = value.as_table()) {
        add_table(*inner, section.empty() ? name : section + "." + name);
        continue;
      }
      const auto at = key.source().begin;
      entries_.push_back(
          {section, name, values_of(value, at), static_cast<int>(at.line), static_cast<int>(at.column)});
    }
  }

  std::vector<std::string> values_of(const toml::node& value, toml::source_position at) const {
    const auto* array = value.as_array();
    if (!array) return {text_of(value, at)};
    std::vector<std::string> values;
    for (const auto& element : *array) values.push_back(text_of(element, at));
    return values;
  }

  std::string text_of(const toml::node& value, toml::source_position key) const {
    if (const auto* text = value.as_string()) return text->get();
    if (const auto* number = value.as_integer()) return std::to_string(number->get());
    if (const auto* number = value.as_floating_point()) return decimal(number->get());
    if (const auto* truth = value.as_boolean()) return truth->get() ? "true" : "false";
    const auto at = value.source().begin ? value.source().begin : key;
    if (value.is_array()) fail("a list within a list: a setting has one value or a list of them", at);
    if (value.is_table()) fail("a table within a list: expected text, numbers, true or false", at);
    fail("a date or time: expected text, a number, true or false", at);
  }

  void check_dots() const {
    for (size_t line = 1, begin = 0; begin < text_.size(); ++line) {
      const size_t end = std::min(text_.find('\n', begin), text_.size());
      const auto dots = std::count(text_.begin() + begin, text_.begin() + end, '.');
      if (dots > max_dots_in_line) {
        fail(fmt::format("a line with {} dots: expected at most {}", dots, max_dots_in_line),
             {static_cast<toml::source_index>(line), 1});
      }
      begin = end + 1;
    }
  }

  static std::string lower_case(std::string_view description) {
    std::string text(description);
    text.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
    return text;
  }

  [[noreturn]] void fail(const std::string& what, toml::source_position at) const {
    throw Error(ErrorKind::malformed,
                fmt::format("{} ({}, line {}, column {})\n{}", what, path_, at.line, at.column,
                            pointed_at(line_of(text_, at.line), at.column)),
                "a setting is written like: steps = 30, or prompt = \"sks person\" (text needs quotes)");
  }

  std::string_view text_;
  const std::string& path_;
  std::vector<ConfigEntry> entries_;
};

}  // namespace

std::vector<ConfigEntry> parse_config(const std::string& text, const std::string& path) {
  return ConfigReader(text, path).read();
}

std::vector<ConfigEntry> read_config_file(const std::filesystem::path& path, const Run& run) {
  return parse_config(read_text(path, run), path.string());
}

}  // namespace w2w::cli
