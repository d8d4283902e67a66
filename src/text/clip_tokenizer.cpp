#include "w2w/text/clip_tokenizer.h"

#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include <algorithm>

#include "text/byte_alphabet.h"
#include "text/model_proto.h"
#include "text/special_tokens.h"
#include "text/vocabulary.h"
#include "text/words.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

/// The special tokens matched at one stage, in parallel.
struct Matcher {
  std::vector<MatchedToken> tokens;
  std::vector<int64_t> ids;

  std::vector<TextPart> split(std::string_view text) const { return split_at_tokens(text, tokens); }
};

/// Every word of `text` as SentencePiece symbols. No separator is needed: the last symbol of a word is of a
/// kind that occurs at the end of entries only, so that no merge crosses it.
std::string symbols_of(std::string_view text) {
  std::string symbols;
  for_each_word(text, [&](std::string_view word) {
    for (size_t i = 0; i < word.size(); ++i) {
      symbols += symbol_text(
          static_cast<uint16_t>(static_cast<uint8_t>(word[i]) + (i + 1 == word.size() ? 256 : 0)));
    }
  });
  return symbols;
}

}  // namespace

struct ClipTokenizer::Parts {
  Parts(Vocabulary vocabulary, const SpecialTokens& tokens, const std::string& source)
      : pieces(std::move(vocabulary.pieces)), max_length(tokens.max_length) {
    trained_size = static_cast<int64_t>(pieces.size());
    for (const auto& token : tokens.added) {
      if (std::ranges::find(pieces, token.content) == pieces.end()) pieces.push_back(token.content);
    }
    const auto id_of = [&](const SpecialToken& token, const char* role) {
      const auto found = std::ranges::find(pieces, token.content);
      if (found != pieces.end()) return static_cast<int64_t>(found - pieces.begin());
      throw Error(
          ErrorKind::malformed,
          fmt::format("tokenizer is malformed ({}): its {} '{}' is not in the vocabulary of {} entries",
                      source, role, token.content, pieces.size()));
    };
    bos = id_of(tokens.bos, "bos_token");
    eos = id_of(tokens.eos, "eos_token");
    unknown = id_of(tokens.unknown, "unk_token");
    pad = id_of(tokens.pad, "pad_token");
    for (const auto& token : tokens.matched()) {
      auto& stage = token.normalized ? in_normalized : in_raw;
      stage.tokens.push_back(
          {token.normalized ? normalize_text(token.content) : token.content, token.single_word});
      stage.ids.push_back(id_of(token, "special token"));
    }
    // SentencePiece knows the trained vocabulary: added words are matched before it splits anything.
    const std::vector<std::string> added(pieces.begin() + trained_size, pieces.end());
    pieces.resize(static_cast<size_t>(trained_size));
    vocabulary.pieces = std::move(pieces);
    const auto status = processor.LoadFromSerializedProto(model_proto(vocabulary));
    pieces = std::move(vocabulary.pieces);
    pieces.insert(pieces.end(), added.begin(), added.end());
    if (!status.ok()) {
      throw Error(ErrorKind::malformed,
                  fmt::format("tokenizer is malformed ({}): {}", source, status.ToString()));
    }
  }

  void encode_words(std::string_view normalized, std::vector<int64_t>& ids) const {
    std::vector<int> found;
    const auto status = processor.Encode(symbols_of(normalized), &found);
    if (!status.ok()) throw Error(ErrorKind::failure, "text cannot be tokenized: " + status.ToString());
    for (const int id : found) ids.push_back(id < trained_size ? id : unknown);
  }

  std::vector<std::string> pieces;
  int64_t max_length, trained_size = 0, bos = 0, eos = 0, unknown = 0, pad = 0;
  Matcher in_raw, in_normalized;
  sentencepiece::SentencePieceProcessor processor;
};

ClipTokenizer ClipTokenizer::from_folder(const std::filesystem::path& folder) {
  return ClipTokenizer(
      std::make_shared<const Parts>(read_vocabulary(folder), read_special_tokens(folder), folder.string()));
}

ClipTokenizer ClipTokenizer::builtin(std::string_view pad_token) {
  SpecialTokens tokens;
  tokens.pad.content = pad_token;
  return ClipTokenizer(
      std::make_shared<const Parts>(builtin_vocabulary(builtin_merges()), tokens, "built in"));
}

std::vector<int64_t> ClipTokenizer::encode(std::string_view text) const {
  std::vector<int64_t> ids;
  const auto& raw = parts_->in_raw;
  const auto& normalized = parts_->in_normalized;
  for (const auto& part : raw.split(text)) {
    if (part.token >= 0) {
      ids.push_back(raw.ids[static_cast<size_t>(part.token)]);
      continue;
    }
    const auto normal = normalize_text(part.text);
    for (const auto& inner : normalized.split(normal)) {
      if (inner.token >= 0) {
        ids.push_back(normalized.ids[static_cast<size_t>(inner.token)]);
      } else {
        parts_->encode_words(inner.text, ids);
      }
    }
  }
  return ids;
}

TokenizedPrompt ClipTokenizer::tokenize(std::string_view text) const { return frame(encode(text)); }

TokenizedPrompt ClipTokenizer::frame(std::span<const int64_t> tokens) const {
  const auto fitting = std::min(tokens.size(), static_cast<size_t>(max_length() - 2));
  TokenizedPrompt prompt;
  prompt.ids.reserve(static_cast<size_t>(max_length()));
  prompt.ids.push_back(bos());
  prompt.ids.insert(prompt.ids.end(), tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(fitting));
  prompt.eos_position = static_cast<int64_t>(prompt.ids.size());
  prompt.ids.push_back(eos());
  prompt.ids.resize(static_cast<size_t>(max_length()), pad());
  prompt.cut_off = decode(tokens.subspan(fitting));
  return prompt;
}

const std::string& ClipTokenizer::piece(int64_t id) const {
  if (id >= 0 && id < vocabulary_size()) return parts_->pieces[static_cast<size_t>(id)];
  throw Error(ErrorKind::failure,
              fmt::format("token id {} is outside the vocabulary of {} entries", id, vocabulary_size()));
}

std::string ClipTokenizer::decode(std::span<const int64_t> ids) const {
  std::string text;
  for (const int64_t id : ids) {
    const auto symbols = piece_symbols(piece(id));
    if (!symbols || id >= parts_->trained_size) {
      text += piece(id) + ' ';
      continue;
    }
    for (const auto symbol : *symbols) text += static_cast<char>(symbol & 255);
    if (symbols->back() >= 256) text += ' ';
  }
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

int64_t ClipTokenizer::bos() const { return parts_->bos; }
int64_t ClipTokenizer::eos() const { return parts_->eos; }
int64_t ClipTokenizer::pad() const { return parts_->pad; }
int64_t ClipTokenizer::unknown() const { return parts_->unknown; }
int64_t ClipTokenizer::max_length() const { return parts_->max_length; }
int64_t ClipTokenizer::vocabulary_size() const { return static_cast<int64_t>(parts_->pieces.size()); }

}  // namespace w2w
