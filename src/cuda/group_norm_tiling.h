#pragma once
// How group_norm divides its work.
//
// A pixel is a row of vectors (16 bytes; one element where those do not fit the groups): the columns. A tile
// is the narrowest range of columns made of whole groups: with 10 channels a group in bf16, 4 groups = 40
// channels = 5 columns. A block is columns x rows threads, each of which keeps to its column, so that
// consecutive threads read consecutive addresses, and steps through the block's chunk of pixels.
//
// One launch, `whole`: all pixels of a tile fit the registers of one block, so x is read once. Two launches
// otherwise: each block reduces its chunk to one partial result a group, then a second grid of the same form
// merges those of its groups and applies the result; most of x is still in the L2 cache. Clusters of blocks
// that share a tile, which would read x once for larger ones, took twice as long on an H200.

#include <algorithm>
#include <numeric>

#include "group_norm.h"

namespace w2w::cuda {

inline constexpr int kThreads = 512;    // at most, a block
inline constexpr int kDepth = 6;        // vectors that a thread of `whole` holds of each input
inline constexpr int kTileGroups = 64;  // at most
inline constexpr int kFullGrid = 264;   // two blocks for each of the 132 multiprocessors of an H100 or H200

struct Tiling {
  int columns, rows;           // of a block
  int groups, group_channels;  // of a tile, of a group
  int pixels, chunk;           // of a sample, of a block
};

struct Plan {
  Tiling tiling;
  int tiles, chunks;  // chunks of a sample: one goes in one launch
};

/// Whether no vector of `n` channels touches more than two groups.
inline bool fits_groups(const GroupNormShape& shape, int n) {
  const auto group = shape.channels / shape.groups;
  return shape.channels % n == 0 && (group >= n - 1 || 2 * group == n);
}

/// For vectors of `n` elements, `bytes` in all.
inline Plan plan(const GroupNormShape& shape, int n, int bytes) {
  const auto ceil_div = [](int a, int b) { return (a + b - 1) / b; };
  const int pixels = int(shape.pixels);
  const int group_channels = int(shape.channels / shape.groups), shared = std::gcd(group_channels, n);
  Plan p{{group_channels / shared, 0, n / shared, group_channels, pixels, 0},
         int(shape.groups) / (n / shared),
         1};
  auto& t = p.tiling;
  const auto widen = [&](int to_bytes) {
    for (; t.columns * bytes < to_bytes && p.tiles % 2 == 0; p.tiles /= 2) t.columns *= 2, t.groups *= 2;
    t.rows = std::clamp(kThreads / t.columns, 1, pixels);
  };

  widen(64);  // two sectors: no byte is fetched in vain
  if (pixels > t.rows * kDepth) {
    widen(128);
    // At least two, which tell two launches from one.
    p.chunks = int(std::clamp<int64_t>(kFullGrid / (shape.batch * p.tiles), 2, ceil_div(pixels, t.rows)));
  }
  t.chunk = ceil_div(pixels, p.chunks);
  t.rows = ceil_div(t.chunk, ceil_div(t.chunk, t.rows));  // as many steps with fewer idle threads in the last
  return p;
}

}  // namespace w2w::cuda
