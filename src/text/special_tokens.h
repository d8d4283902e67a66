#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace w2w {

/// A token that is matched in the text before any splitting: as written, or, when `normalized`, in the
/// lower-cased text.
struct SpecialToken {
  std::string content;
  bool normalized = false;
  bool single_word = false;  ///< not where a letter, digit or underscore stands beside it
  bool operator==(const SpecialToken&) const = default;
};

struct SpecialTokens {
  SpecialToken bos{"<|startoftext|>"}, eos{"<|endoftext|>"}, unknown{"<|endoftext|>"}, pad{"<|endoftext|>"};
  int64_t max_length = 77;
  /// Words added to a trained vocabulary, such as those of textual inversion, in the order of their ids.
  std::vector<SpecialToken> added = {};

  /// Each token that is matched, once. Where two roles share a token the later one (bos, eos, unknown, pad)
  /// says whether it is normalized, as in transformers: SD 1.5's files give <|startoftext|> yes,
  /// <|endoftext|> no.
  std::vector<SpecialToken> matched() const;
};

/// What the configuration files of a tokenizer folder say, read as transformers 5 reads them:
/// special_tokens_map.json goes before tokenizer_config.json unless the latter has added_tokens_decoder.
/// Added tokens stand in added_tokens_decoder, or else in added_tokens.json, tokenizer.json and as
/// additional_special_tokens. The flags lstrip and rstrip change no ids of CLIP.
SpecialTokens read_special_tokens(const std::filesystem::path& folder);

/// Part of a text: a special token (its position in the list), or, with token -1, the text between.
struct TextPart {
  std::string_view text;
  int token = -1;
};

struct MatchedToken {
  std::string content;
  bool single_word = false;
};

/// Splits at every occurrence of `tokens`, from the left, the longest first; as in transformers one that has
/// to be a word of its own and is none hides what it is longer than. No empty parts.
std::vector<TextPart> split_at_tokens(std::string_view text, const std::vector<MatchedToken>& tokens);

}  // namespace w2w
