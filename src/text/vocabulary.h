#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace w2w {

/// The entries of a BPE vocabulary by id, as vocab.json spells them, and what merge_order says of them.
struct Vocabulary {
  std::vector<std::string> pieces;
  std::vector<int32_t> order;
};

/// vocab.json and merges.txt of `folder`, or tokenizer.json where both are missing (what transformers 5
/// saves).
Vocabulary read_vocabulary(const std::filesystem::path& folder);

/// Error(malformed) about one of a tokenizer's files.
[[noreturn]] void malformed(const std::filesystem::path& path, const std::string& what);

/// The merges of CLIP's own vocabulary, compiled in: lines "left right" by rank, as in merges.txt below its
/// first line.
std::string builtin_merges();
inline constexpr size_t builtin_merges_size = 524'605;

/// The vocabulary CLIP numbered from those merges.
Vocabulary builtin_vocabulary(std::string_view merges);

}  // namespace w2w
