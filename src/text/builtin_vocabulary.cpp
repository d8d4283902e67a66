#include <zlib.h>

#include <numeric>

#include "text/byte_alphabet.h"
#include "text/merge_order.h"
#include "text/vocabulary.h"
#include "w2w/base/error.h"

// clip_merges.txt.gz, put into the library by clip_merges.S.
extern "C" const unsigned char w2w_clip_merges_begin[], w2w_clip_merges_end[];

namespace w2w {
std::string builtin_merges() {
  std::string text(builtin_merges_size, '\0');
  z_stream stream{};
  stream.next_in = const_cast<unsigned char*>(w2w_clip_merges_begin);
  stream.avail_in = static_cast<unsigned>(w2w_clip_merges_end - w2w_clip_merges_begin);
  stream.next_out = reinterpret_cast<unsigned char*>(text.data());
  stream.avail_out = static_cast<unsigned>(text.size());
  inflateInit2(&stream, 16 + MAX_WBITS);  // 16: gzip
  const int result = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  if (result != Z_STREAM_END || stream.avail_out != 0) {
    throw Error(ErrorKind::failure, "the vocabulary compiled into this program is damaged");
  }
  return text;
}

/// CLIP numbers its entries: 256 bytes, the same at a word's end, the results of the merges, then the two
/// special tokens. As merge_order finds (a unit test compares), each merge finishes its own result.
Vocabulary builtin_vocabulary(std::string_view merges) {
  Vocabulary vocabulary;
  auto& [pieces, order] = vocabulary;
  pieces.reserve(49408);
  for (const auto byte : alphabet_order()) pieces.push_back(byte_text(byte));
  for (const auto byte : alphabet_order()) pieces.push_back(byte_text(byte) + std::string(end_of_word));
  std::string piece;
  for (const char c : merges) {
    if (c == '\n') {
      pieces.push_back(std::move(piece));
      piece.clear();
    } else if (c != ' ') {
      piece += c;
    }
  }
  order.assign(symbol_count, 0);
  order.resize(pieces.size());
  std::iota(order.begin() + symbol_count, order.end(), 1);
  for (const char* special : {"<|startoftext|>", "<|endoftext|>"}) {
    pieces.emplace_back(special);
    order.push_back(unreachable);
  }
  return vocabulary;
}

}  // namespace w2w
