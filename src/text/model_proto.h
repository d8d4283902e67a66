#pragma once
#include <string>

#include "text/vocabulary.h"

namespace w2w {

/// The bytes of a SentencePiece ModelProto (BPE) whose ids are those of `vocabulary`. Behind them come ids
/// that stand for unknown: one for each symbol the vocabulary lacks, because SentencePiece would join
/// neighbouring unknown characters into one piece, whereas CLIP counts each byte; and last the UNKNOWN piece,
/// which SentencePiece demands and never finds here.
std::string model_proto(const Vocabulary& vocabulary);

}  // namespace w2w
