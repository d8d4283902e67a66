#include "cli/app/config_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "w2w/base/error.h"
#include "w2w/base/read_file.h"

namespace w2w::cli {
namespace {

class ConfigParser {
 public:
  ConfigParser(const std::string& text, const std::string& path) : text_(text), path_(path) {}

  std::vector<ConfigEntry> parse() {
    std::vector<ConfigEntry> entries;
    std::set<std::pair<std::string, std::string>> known;
    std::string section;
    for (skip_blank_lines(); !at_end(); skip_blank_lines()) {
      if (accept('[')) {
        section = bare_word("a section name");
        if (!accept(']')) fail("expected ']' after the section name");
      } else {
        ConfigEntry entry{
            section, peek() == '"' || peek() == '\'' ? quoted() : bare_word("a setting"), {}, line_};
        skip_spaces();
        if (!accept('=')) fail(fmt::format("expected '=' after '{}'", entry.key));
        skip_spaces();
        entry.values = value();
        if (!known.emplace(section, entry.key).second) fail(fmt::format("'{}' is set twice", entry.key));
        entries.push_back(std::move(entry));
      }
      end_of_line();
    }
    return entries;
  }

 private:
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool accept(char c) {
    if (at_end() || text_[at_] != c) return false;
    if (c == '\n') ++line_;
    ++at_;
    return true;
  }
  void skip_spaces() {
    while (accept(' ') || accept('\t') || accept('\r')) {
    }
  }
  void skip_comment() {
    if (peek() == '#') at_ = std::min(text_.find('\n', at_), text_.size());
  }
  void skip_blank_lines() {
    do {
      skip_spaces();
      skip_comment();
    } while (accept('\n'));
  }
  void end_of_line() {
    skip_spaces();
    skip_comment();
    if (!at_end() && !accept('\n')) fail(fmt::format("unexpected '{}'", rest_of_line()));
  }
  std::string rest_of_line() const { return text_.substr(at_, text_.find('\n', at_) - at_); }

  std::string bare_word(const char* what) {
    const size_t start = at_;
    while (std::isalnum(static_cast<unsigned char>(peek())) || peek() == '-' || peek() == '_' ||
           peek() == '.')
      ++at_;
    if (at_ == start) fail(fmt::format("expected {}, found '{}'", what, rest_of_line()));
    return text_.substr(start, at_ - start);
  }

  std::string quoted() {
    const char quote = text_[at_++];
    std::string value;
    while (!accept(quote)) {
      if (at_end() || peek() == '\n') fail("a string without its closing quote");
      value += quote == '"' && accept('\\') ? escaped() : text_[at_++];
    }
    return value;
  }

  char escaped() {
    const char c = peek();
    ++at_;
    switch (c) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case '"':
        return '"';
      case '\\':
        return '\\';
      default:
        fail(fmt::format("unknown escape '\\{}' in a string", c));
    }
  }

  std::string scalar() {
    if (peek() == '"' || peek() == '\'') return quoted();
    const size_t start = at_;
    while (std::isalnum(static_cast<unsigned char>(peek())) ||
           std::string_view("+-._").find(peek()) != std::string::npos) {
      ++at_;
    }
    const auto word = text_.substr(start, at_ - start);
    const bool number = !word.empty() && word.find_first_not_of("+-._0123456789eE") == std::string::npos;
    if (!number && word != "true" && word != "false") {
      at_ = start;
      fail(fmt::format("expected a value, found '{}' (text needs quotes)", rest_of_line()));
    }
    return word;
  }

  std::vector<std::string> value() {
    if (!accept('[')) return {scalar()};
    std::vector<std::string> values;
    for (skip_blank_lines(); !accept(']'); skip_blank_lines()) {
      values.push_back(scalar());
      skip_blank_lines();
      if (!accept(',') && peek() != ']') fail("expected ',' or ']' in an array");
    }
    return values;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::malformed, fmt::format("{} ({}, line {})", what, path_, line_),
                "a setting is written like: steps = 30, or prompt = \"sks person\"");
  }

  const std::string& text_;
  const std::string& path_;
  size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

std::vector<ConfigEntry> parse_config(const std::string& text, const std::string& path) {
  return ConfigParser(text, path).parse();
}

std::vector<ConfigEntry> read_config_file(const std::filesystem::path& path) {
  return parse_config(read_text(path), path.string());
}

}  // namespace w2w::cli
