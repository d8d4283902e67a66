#pragma once
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "w2w/base/run.h"

namespace w2w::cli {

/// How a seed is typed that shall be drawn.
inline constexpr const char* drawn_seed = "-1";

/// A seed nobody chose, 0..2^32-1 as other tools draw it, so that it can be typed again.
uint64_t draw_seed();

/// "1,2,5-8" -> 1 2 5 6 7 8, in the order given; every -1 is replaced by `draw()` and reported as a notice.
/// At most 10,000 seeds, each below 2^64. Error(usage) naming `option` otherwise.
std::vector<uint64_t> parse_seeds(std::string_view text, const std::function<uint64_t()>& draw = draw_seed,
                                  std::string_view option = "--seed", const Run& run = {});

/// The same for an option that takes one seed.
uint64_t parse_one_seed(std::string_view text, const std::function<uint64_t()>& draw = draw_seed,
                        std::string_view option = "--seed", const Run& run = {});

}  // namespace w2w::cli
