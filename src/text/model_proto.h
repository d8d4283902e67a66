#pragma once
#include <cstdint>
#include <string>

#include "text/vocabulary.h"

namespace w2w {

/// The bytes of a SentencePiece ModelProto (BPE) whose ids are those of `vocabulary`. Behind them come ids
/// for the symbols the vocabulary lacks: every symbol has a piece, because SentencePiece would join
/// neighbouring unknown characters into one unknown piece, whereas CLIP counts each byte.
std::string model_proto(const Vocabulary& vocabulary, int64_t unknown_id);

}  // namespace w2w
