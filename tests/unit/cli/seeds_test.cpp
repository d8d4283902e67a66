#include "cli/options/seeds.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "w2w/base/run.h"

namespace w2w::cli {
namespace {

using Seeds = std::vector<uint64_t>;

TEST(Seeds, ListsAndRangesKeepTheirOrder) {
  EXPECT_EQ(parse_seeds("7"), (Seeds{7}));
  EXPECT_EQ(parse_seeds("0"), (Seeds{0}));
  EXPECT_EQ(parse_seeds("1,2,5-8"), (Seeds{1, 2, 5, 6, 7, 8}));
  EXPECT_EQ(parse_seeds("9, 3 - 4 ,9"), (Seeds{9, 3, 4, 9}));
  EXPECT_EQ(parse_seeds("18446744073709551614-18446744073709551615").size(), 2U);
}

TEST(Seeds, MinusOneDrawsOneAndSaysWhich) {
  std::vector<std::string> lines;
  const w2w::Run run{{}, nullptr, [&](LogLevel, std::string_view line) { lines.emplace_back(line); }};
  uint64_t next = 100;
  EXPECT_EQ(parse_seeds(
                "-1,5,-1", [&] { return next++; }, "--identity-seed", run),
            (Seeds{100, 5, 101}));
  EXPECT_EQ(lines, (std::vector<std::string>{"drew identity-seed 100", "drew identity-seed 101"}));
}

TEST(Seeds, OnlyChecksWithoutADraw) {
  const w2w::Run run{{}, nullptr, [&](LogLevel, std::string_view line) { ADD_FAILURE() << line; }};
  EXPECT_EQ(parse_seeds("-1,5", nullptr, "--seed", run), (Seeds{0, 5}));
}

TEST(Seeds, DrawnSeedsDiffer) { EXPECT_NE(parse_seeds("-1,-1")[0], parse_seeds("-1,-1")[1]); }

TEST(Seeds, RefusesWhatIsNoSeed) {
  for (const char* text : {"", ",", "1,", ",1", "a", "1.5", "1;2", "-2", "--1", "1--3", "1-", "-", "0x10",
                           "1 2", "18446744073709551616", "99999999999999999999", "-1-3"}) {
    SCOPED_TRACE(text);
    test::expect_error(ErrorKind::usage, "--seed expects whole numbers and ranges",
                       [&] { parse_seeds(text); });
  }
}

TEST(Seeds, RefusesRangesThatAreReversedOrEndless) {
  test::expect_error(ErrorKind::usage, "from low to high, found '8-5'", [] { parse_seeds("8-5"); });
  EXPECT_EQ(parse_seeds("1-10000").size(), 10'000U);
  test::expect_error(ErrorKind::usage, "at most 10000 numbers", [] { parse_seeds("0-10000"); });
  test::expect_error(ErrorKind::usage, "at most 10000 numbers", [] { parse_seeds("1-10000,3"); });
  test::expect_error(ErrorKind::usage, "at most 10000 numbers", [] { parse_seeds("0-9223372036854775807"); });
}

TEST(OneSeed, IsOneNumberOrDrawn) {
  EXPECT_EQ(parse_one_seed(" 7 "), 7U);
  EXPECT_EQ(parse_one_seed("-1", nullptr), 0U);
  EXPECT_NE(parse_one_seed("-1"), parse_one_seed("-1"));
  for (const char* text : {"", "1,2", "1-3", "-2", "x"}) {
    test::expect_error(ErrorKind::usage, "--seed expects one whole number, found",
                       [&] { parse_one_seed(text); });
  }
}

}  // namespace
}  // namespace w2w::cli
