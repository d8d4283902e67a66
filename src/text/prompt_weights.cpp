#include "w2w/text/prompt_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "w2w/base/error.h"

namespace w2w {
namespace {

constexpr double round_factor = 1.1, square_factor = 1 / 1.1;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || (c & 0x80) != 0;
}

class Parser {
 public:
  explicit Parser(std::string_view prompt) : rest_(prompt) {}

  std::vector<WeightedSpan> parse() {
    while (!rest_.empty()) step();
    for (const auto& [opening, factor] : {std::pair{&round_, round_factor}, {&square_, square_factor}}) {
      for (const size_t from : *opening) multiply(from, factor);
    }
    return joined();
  }

 private:
  void step() {
    const char c = rest_[0];
    if (c == '\\') {  // the next bracket or backslash is text; a backslash before anything else vanishes
      const bool escapes =
          rest_.size() > 1 && std::string_view("()[]\\").find(rest_[1]) != std::string_view::npos;
      if (escapes) text(rest_.substr(1, 1));
      rest_.remove_prefix(escapes ? 2 : 1);
    } else if (c == ':' && !round_.empty() && close_with_weight()) {
      return;
    } else {
      if (c == '(')
        round_.push_back(spans_.size());
      else if (c == '[')
        square_.push_back(spans_.size());
      else if (c == ')' && !round_.empty())
        close(round_, round_factor);
      else if (c == ']' && !square_.empty())
        close(square_, square_factor);
      else
        return text_run();
      rest_.remove_prefix(1);
    }
  }

  void text_run() {
    const size_t end = std::min(rest_.find_first_of("\\()[]:", 1), rest_.size());
    text(rest_.substr(0, end));
    rest_.remove_prefix(end);
  }

  /// ":1.3)", with white space around the number.
  bool close_with_weight() {
    size_t begin = 1;
    while (begin < rest_.size() && is_space(rest_[begin])) ++begin;
    const size_t end = rest_.find_first_not_of(
        "0123456789.", begin + (begin < rest_.size() && (rest_[begin] == '+' || rest_[begin] == '-')));
    size_t bracket = std::min(end, rest_.size());
    const auto number = rest_.substr(std::min(begin, rest_.size()), bracket - std::min(begin, bracket));
    while (bracket < rest_.size() && is_space(rest_[bracket])) ++bracket;
    if (bracket >= rest_.size() || rest_[bracket] != ')' ||
        number.find_first_of("0123456789.") == number.npos)
      return false;
    close(round_, parse_weight(number));
    rest_.remove_prefix(bracket + 1);
    return true;
  }

  static double parse_weight(std::string_view number) {
    const auto digits = number.substr(number[0] == '+' ? 1 : 0);
    double weight = 0;
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), weight);
    if (status == std::errc{} && end == digits.data() + digits.size()) return weight;
    throw Error(ErrorKind::usage,
                fmt::format("prompt weight '{}' is not a number; expected one such as (word:1.3)", number),
                "write \\( and \\) for brackets that are part of the text");
  }

  void close(std::vector<size_t>& openings, double factor) {
    multiply(openings.back(), factor);
    openings.pop_back();
  }
  void multiply(size_t from, double factor) {
    for (size_t i = from; i < spans_.size(); ++i) spans_[i].weight *= factor;
  }
  void text(std::string_view piece) { spans_.push_back({std::string(piece), 1.0}); }

  std::vector<WeightedSpan> joined() const {
    std::vector<WeightedSpan> result;
    for (const auto& span : spans_) {
      if (!result.empty() && result.back().weight == span.weight)
        result.back().text += span.text;
      else
        result.push_back(span);
    }
    if (result.empty()) result.emplace_back();
    return result;
  }

  std::string_view rest_;
  std::vector<WeightedSpan> spans_;
  std::vector<size_t> round_, square_;  // number of spans before each bracket that is open
};

/// Each word BREAK and the white space around it as one space.
std::string without_breaks(std::string_view prompt) {
  constexpr std::string_view word = "BREAK";
  std::string text;
  for (size_t at = 0; at < prompt.size();) {
    const bool alone = prompt.substr(at).starts_with(word) && (at == 0 || !is_word(prompt[at - 1])) &&
                       (at + word.size() == prompt.size() || !is_word(prompt[at + word.size()]));
    if (!alone) {
      text += prompt[at++];
      continue;
    }
    while (!text.empty() && is_space(text.back())) text.pop_back();
    for (at += word.size(); at < prompt.size() && is_space(prompt[at]);) ++at;
    text += ' ';
  }
  return text;
}

}  // namespace

std::vector<WeightedSpan> parse_prompt_weights(std::string_view prompt) {
  const auto text = without_breaks(prompt);
  return Parser(text).parse();
}

WeightedTokens tokenize_weighted(const ClipTokenizer& tokenizer, std::string_view prompt) {
  std::vector<int64_t> tokens;
  std::vector<double> token_weights;
  for (const auto& span : parse_prompt_weights(prompt)) {
    const auto ids = tokenizer.encode(span.text);
    tokens.insert(tokens.end(), ids.begin(), ids.end());
    token_weights.resize(tokens.size(), span.weight);
  }
  WeightedTokens result{tokenizer.frame(tokens),
                        std::vector<double>(static_cast<size_t>(tokenizer.max_length()), 1.0)};
  const auto kept = static_cast<size_t>(result.prompt.eos_position - 1);
  std::copy_n(token_weights.begin(), kept, result.weights.begin() + 1);
  return result;
}

std::string_view unread_syntax(std::string_view prompt, bool weights) {
  for (const std::string_view start : {"<lora:", "<lyco:", "<hypernet:"}) {
    const size_t begin = prompt.find(start), end = begin == prompt.npos ? begin : prompt.find('>', begin);
    if (end != prompt.npos) return prompt.substr(begin, end + 1 - begin);
  }
  for (size_t close = prompt.find(')'); !weights && close != prompt.npos;
       close = prompt.find(')', close + 1)) {
    const size_t colon = prompt.find_last_not_of("0123456789.", close - (close > 0));
    if (colon == prompt.npos || prompt[colon] != ':' || colon + 1 == close) continue;
    const size_t open = prompt.find_last_of("()", colon);
    if (open != prompt.npos && prompt[open] == '(') return prompt.substr(open, close + 1 - open);
  }
  return {};
}

}  // namespace w2w
