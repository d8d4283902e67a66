#include "text/merge_order.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "text/byte_alphabet.h"

namespace w2w {
namespace {

constexpr int32_t no_rank = std::numeric_limits<int32_t>::max();

/// Pair of ids -> rank of its merge: an open-addressing hash table, for loading waits on some million
/// lookups.
class PairRanks {
 public:
  explicit PairRanks(std::span<const Merge> merges)
      : slots_(std::bit_ceil(merges.size() * 2 + 2)), shift_(64 - std::countr_zero(slots_.size())) {
    for (size_t rank = 0; rank < merges.size(); ++rank) {
      slot(key(merges[rank][0], merges[rank][1])) = {key(merges[rank][0], merges[rank][1]),
                                                     static_cast<int32_t>(rank)};
    }
  }

  int32_t find(int32_t left, int32_t right) const {
    return const_cast<PairRanks*>(this)->slot(key(left, right)).rank;
  }

 private:
  struct Slot {
    uint64_t key = 0;
    int32_t rank = no_rank;
  };
  static uint64_t key(int32_t left, int32_t right) {
    return (static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right)) + 1;  // 0 marks a free slot
  }
  Slot& slot(uint64_t key) {
    size_t at = (key * 0x9E3779B97F4A7C15U) >> shift_;
    while (slots_[at].key != 0 && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    return slots_[at];
  }

  std::vector<Slot> slots_;
  int shift_;
};

/// Runs BPE on `ids` (changed in place): always the pair of lowest rank, the leftmost of equals. Returns the
/// last rank.
int32_t run_merges(std::vector<int32_t>& ids, std::vector<int32_t>& ranks, const PairRanks& table,
                   std::span<const Merge> merges) {
  const auto rank_at = [&](size_t i) {
    return i + 1 < ids.size() ? table.find(ids[i], ids[i + 1]) : no_rank;
  };
  ranks.resize(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) ranks[i] = rank_at(i);
  int32_t last = no_rank;
  for (;;) {
    const auto best = std::min_element(ranks.begin(), ranks.end());
    if (best == ranks.end() || *best == no_rank) return last;
    last = *best;
    const auto i = static_cast<size_t>(best - ranks.begin());
    ids[i] = merges[static_cast<size_t>(last)][2];
    ids.erase(ids.begin() + static_cast<ptrdiff_t>(i) + 1);
    ranks.erase(best + 1);
    ranks[i] = rank_at(i);
    if (i > 0) ranks[i - 1] = rank_at(i - 1);
  }
}

}  // namespace

std::vector<int32_t> merge_order(const std::vector<std::string>& pieces, std::span<const Merge> merges) {
  std::vector<std::vector<uint16_t>> symbols(pieces.size());
  std::array<int32_t, symbol_count> id_of;
  id_of.fill(-1);
  for (size_t id = 0; id < pieces.size(); ++id) {
    symbols[id] = piece_symbols(pieces[id]).value_or(std::vector<uint16_t>{});
    if (symbols[id].size() == 1) id_of[symbols[id][0]] = static_cast<int32_t>(id);
  }
  const PairRanks table(merges);
  std::vector<int32_t> order(pieces.size(), unreachable), ids, ranks;
  for (size_t id = 0; id < pieces.size(); ++id) {
    ids.clear();
    for (const auto symbol : symbols[id]) ids.push_back(id_of[symbol]);
    if (ids.empty() || std::ranges::find(ids, -1) != ids.end()) continue;
    const int32_t last = run_merges(ids, ranks, table, merges);
    if (ids.size() == 1 && ids[0] == static_cast<int32_t>(id)) order[id] = last == no_rank ? 0 : 1 + last;
  }
  return order;
}

}  // namespace w2w
