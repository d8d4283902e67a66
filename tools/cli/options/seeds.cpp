#include "cli/options/seeds.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <random>

#include "w2w/base/error.h"

namespace w2w::cli {
namespace {

constexpr size_t most_seeds = 10'000;

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::optional<uint64_t> parse_seed(std::string_view text) {
  text = trimmed(text);
  uint64_t seed = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return seed;
}

uint64_t drawn(const std::function<uint64_t()>& draw, std::string_view option, const Run& run) {
  if (!draw) return 0;
  const uint64_t seed = draw();
  run.notice(fmt::format("drew {} {}", option.starts_with("--") ? option.substr(2) : option, seed));
  return seed;
}

}  // namespace

uint64_t draw_seed() { return std::random_device{}(); }

std::vector<uint64_t> parse_seeds(std::string_view text, const std::function<uint64_t()>& draw,
                                  std::string_view option, const Run& run) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorKind::usage, fmt::format("{} {}, found '{}'", option, what, text),
                option.ends_with("seed")
                    ? fmt::format("for example {0} 7, {0} 1,2,5-8, or {0} -1 for a random one", option)
                    : fmt::format("for example {0} 7, or {0} 1,2,5-8", option));
  };
  std::vector<uint64_t> seeds;
  for (std::string_view rest = text;; rest.remove_prefix(rest.find(',') + 1)) {
    const auto item = trimmed(rest.substr(0, rest.find(',')));
    const size_t dash = item.find('-');
    if (item == drawn_seed) {
      seeds.push_back(drawn(draw, option, run));
    } else if (const auto first = parse_seed(item.substr(0, dash))) {
      const auto last = dash == std::string_view::npos ? first : parse_seed(item.substr(dash + 1));
      if (!last) fail("expects whole numbers and ranges");
      if (*last < *first) fail("expects ranges from low to high");
      if (*last - *first >= most_seeds - seeds.size())
        fail(fmt::format("expects at most {} numbers", most_seeds));
      for (uint64_t seed = *first;; ++seed) {
        seeds.push_back(seed);
        if (seed == *last) break;
      }
    } else {
      fail("expects whole numbers and ranges");
    }
    if (seeds.size() > most_seeds) fail(fmt::format("expects at most {} numbers", most_seeds));
    if (rest.find(',') == std::string_view::npos) return seeds;
  }
}

uint64_t parse_one_seed(std::string_view text, const std::function<uint64_t()>& draw, std::string_view option,
                        const Run& run) {
  if (trimmed(text) == drawn_seed) return drawn(draw, option, run);
  if (const auto seed = parse_seed(text)) return *seed;
  throw Error(ErrorKind::usage, fmt::format("{} expects one whole number, found '{}'", option, text),
              fmt::format("for example {0} 7, or {0} -1 for a random one", option));
}

}  // namespace w2w::cli
