#include "text/model_proto.h"

#include <array>
#include <bit>

#include "text/byte_alphabet.h"
#include "text/merge_order.h"

namespace w2w {
namespace {

// sentencepiece_model.proto, the fields used here:
//   ModelProto      1 pieces (message, repeated)  2 trainer_spec  3 normalizer_spec
//   SentencePiece   1 piece (string)  2 score (float)  3 type (NORMAL 1, UNKNOWN 2, CONTROL 3)
//   TrainerSpec     3 model_type (BPE 2)  40 unk_id  41 bos_id  42 eos_id  43 pad_id (-1: none)
//   NormalizerSpec  1 name  3 add_dummy_prefix  4 remove_extra_whitespaces  5 escape_whitespaces
enum PieceType { normal = 1, unknown = 2, control = 3 };

/// Protocol Buffers' three wire kinds: variable-length integer 0, four bytes 5, length and bytes 2.
class Message {
 public:
  Message& integer(unsigned field, int64_t value) {
    tag(field, 0);
    variable(static_cast<uint64_t>(value));
    return *this;
  }
  Message& real(unsigned field, float value) {
    tag(field, 5);
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) bytes_ += static_cast<char>(bits >> shift);
    return *this;
  }
  Message& text(unsigned field, std::string_view value) {
    tag(field, 2);
    variable(value.size());
    bytes_ += value;
    return *this;
  }
  void clear() { bytes_.clear(); }
  void reserve(size_t size) { bytes_.reserve(size); }
  std::string& bytes() { return bytes_; }

 private:
  void tag(unsigned field, unsigned kind) { variable(field << 3 | kind); }
  void variable(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

/// A name apart from every piece made of symbols, for U+F8FF is none.
std::string private_name(size_t id) { return "\xEF\xA3\xBF" + std::to_string(id); }

class ModelWriter {
 public:
  explicit ModelWriter(size_t pieces) { model_.reserve(pieces * 24); }

  void add(std::string_view piece, float score, PieceType type) {
    piece_.clear();
    model_.text(1, piece_.text(1, piece).real(2, score).integer(3, type).bytes());
  }

  std::string finish(int64_t unknown_id) {
    Message trainer, normalizer;
    trainer.integer(3, 2).integer(40, unknown_id).integer(41, -1).integer(42, -1).integer(43, -1);
    normalizer.text(1, "identity").integer(3, 0).integer(4, 0).integer(5, 0);
    return std::move(model_.text(2, trainer.bytes()).text(3, normalizer.bytes()).bytes());
  }

 private:
  Message model_, piece_;
};

}  // namespace

std::string model_proto(const Vocabulary& vocabulary) {
  ModelWriter model(vocabulary.pieces.size() + symbol_count);
  std::array<bool, symbol_count> present{};
  std::string text;
  for (size_t id = 0; id < vocabulary.pieces.size(); ++id) {
    const int32_t order = vocabulary.order[id];
    if (order == unreachable) {
      model.add(private_name(id), 0, control);
      continue;
    }
    text.clear();
    const auto symbols = *piece_symbols(vocabulary.pieces[id]);
    for (const auto symbol : symbols) text += symbol_text(symbol);
    if (symbols.size() == 1) present[symbols[0]] = true;
    model.add(text, -static_cast<float>(order), normal);
  }
  int64_t unknown_id = static_cast<int64_t>(vocabulary.pieces.size());
  for (uint16_t symbol = 0; symbol < symbol_count; ++symbol) {
    if (present[symbol]) continue;
    model.add(symbol_text(symbol), 0, normal);
    ++unknown_id;
  }
  model.add(private_name(static_cast<size_t>(unknown_id)), 0, unknown);
  return model.finish(unknown_id);
}

}  // namespace w2w
