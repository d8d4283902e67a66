#pragma once
// SentencePiece joins two neighbours whenever their concatenation is an entry, best score first; CLIP's BPE
// joins the pairs listed in merges.txt, first line first. The two agree on every text exactly if
//   (1) entries that BPE cannot make from their own characters are kept from SentencePiece, and
//   (2) an entry's score falls with the rank of the merge that finishes it when BPE runs on its own
//   characters.
// For symbols that end up covering an entry exactly were joined inside it only, so BPE went through the same
// states as on the entry alone; there the sequence of merges, and with it the last one, is unique.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace w2w {

/// The ids of a merge: left + right -> result.
using Merge = std::array<int32_t, 3>;

inline constexpr int32_t unreachable = -1;

/// For each entry: 0 for a single symbol, 1 + the rank of the merge that finishes it, or `unreachable`.
/// `merges` by rank.
std::vector<int32_t> merge_order(const std::vector<std::string>& pieces, std::span<const Merge> merges);

}  // namespace w2w
