#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace w2w {

/// A prompt as the text encoder takes it.
struct TokenizedPrompt {
  std::vector<int64_t> ids;  ///< exactly max_length: BOS, tokens, EOS, padding
  std::string cut_off;       ///< the text of the tokens that did not fit, lower-cased; empty when all did
  int64_t eos_position = 0;  ///< index of the closing EOS; the tokens are ids[1 .. eos_position)
};

/// CLIP's byte-pair encoding with the ids of transformers' CLIPTokenizer, for a vocabulary of any size.
/// Text is UTF-8; bytes that are not count as U+FFFD. A copy is cheap and shares the vocabulary; all methods
/// may be called from several threads at once.
class ClipTokenizer {
 public:
  /// A tokenizer folder: vocab.json and merges.txt, or tokenizer.json where those are missing. Special tokens
  /// and the length come from tokenizer_config.json and special_tokens_map.json where present; the defaults
  /// are <|startoftext|>, <|endoftext|> (also unknown and padding) and 77. Error(not_found) without a
  /// vocabulary, Error(malformed) naming the file that does not hold one.
  static ClipTokenizer from_folder(const std::filesystem::path& folder);

  /// CLIP's own 49,408 entries, compiled in. SD 1.x pads with EOS, SD 2.x with "!".
  static ClipTokenizer builtin(std::string_view pad_token = "<|endoftext|>");

  /// The ids of `text`, however many, without BOS and EOS.
  std::vector<int64_t> encode(std::string_view text) const;
  /// encode and frame.
  TokenizedPrompt tokenize(std::string_view text) const;
  /// BOS, as many of `tokens` as fit, EOS, padding.
  TokenizedPrompt frame(std::span<const int64_t> tokens) const;

  /// The entry of an id as vocab.json spells it, such as "person</w>". Error(failure) outside the vocabulary.
  const std::string& piece(int64_t id) const;
  /// The text of ids: words separated by single spaces.
  std::string decode(std::span<const int64_t> ids) const;

  int64_t bos() const;
  int64_t eos() const;
  int64_t pad() const;
  int64_t unknown() const;
  int64_t max_length() const;
  int64_t vocabulary_size() const;

 private:
  struct Parts;
  explicit ClipTokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
};

}  // namespace w2w
