#include "text/merge_order.h"

#include <gtest/gtest.h>

#include <unordered_map>

#include "text/vocabulary.h"

namespace w2w {
namespace {

TEST(MergeOrder, SingleSymbolsMergesAndEntriesOutOfReach) {
  const std::vector<std::string> pieces = {"a", "b", "c", "bc", "ab", "abc", "x", "€", "ac"};
  const std::vector<Merge> merges = {{1, 2, 3}, {0, 1, 4}, {4, 2, 5}};
  EXPECT_EQ(merge_order(pieces, merges),
            (std::vector<int32_t>{0, 0, 0, 1, 2, unreachable, 0, unreachable, unreachable}));
}

TEST(MergeOrder, OfTwoMergesForAnEntryTheOneThatIsTaken) {
  const std::vector<std::string> pieces = {"a", "b", "c", "bc", "ab", "abc"};
  const std::vector<Merge> merges = {{4, 2, 5}, {1, 2, 3}, {0, 1, 4}, {0, 3, 5}};  // b+c first, then a+bc
  EXPECT_EQ(merge_order(pieces, merges)[5], 4);
}

TEST(MergeOrder, OfClipsVocabularyIsTheOrderOfItsIds) {
  const auto text = builtin_merges();
  const auto clip = builtin_vocabulary(text);
  ASSERT_EQ(clip.pieces.size(), 49408U);
  std::unordered_map<std::string, int32_t> ids;
  for (const auto& piece : clip.pieces) ids.emplace(piece, static_cast<int32_t>(ids.size()));
  ASSERT_EQ(ids.size(), clip.pieces.size());
  std::vector<Merge> merges;
  for (size_t at = 0; at < text.size();) {
    const size_t space = text.find(' ', at), end = text.find('\n', at);
    const auto left = text.substr(at, space - at), right = text.substr(space + 1, end - space - 1);
    merges.push_back({ids.at(left), ids.at(right), ids.at(left + right)});
    at = end + 1;
  }
  EXPECT_EQ(merge_order(clip.pieces, merges), clip.order);
}

}  // namespace
}  // namespace w2w
