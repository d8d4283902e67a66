#pragma once
// The attention syntax that A1111's web interface made common: (x) counts x 1.1 times, (x:1.3) 1.3 times, [x]
// 1 / 1.1 times; they nest and multiply. \( \) \[ \] \\ are the characters themselves. A bracket left open
// reaches to the end; a closing one without an opening one is text.

#include <string>
#include <string_view>
#include <vector>

#include "w2w/text/clip_tokenizer.h"

namespace w2w {

struct WeightedSpan {
  std::string text;
  double weight = 1.0;
  bool operator==(const WeightedSpan&) const = default;
};

/// The spans of a prompt in order, neighbours of equal weight joined; one empty span for an empty prompt. The
/// word BREAK (a new group of 75 tokens in A1111) becomes a space: a prompt here is one group. Error(usage)
/// for a weight that is no number, such as (x:1.2.3).
std::vector<WeightedSpan> parse_prompt_weights(std::string_view prompt);

struct WeightedTokens {
  TokenizedPrompt prompt;
  std::vector<double> weights;  ///< one for each id; 1 for BOS, EOS and padding
};

/// Parses `prompt`, tokenizes every span on its own (so a word never joins across a bracket) and frames the
/// result.
WeightedTokens tokenize_weighted(const ClipTokenizer& tokenizer, std::string_view prompt);

/// The first part of a prompt that other programs would not take for words: "<lora:x:0.8>", and, unless
/// `weights` are read, "(word:1.4)". Empty where there is none.
std::string_view unread_syntax(std::string_view prompt, bool weights);

}  // namespace w2w
