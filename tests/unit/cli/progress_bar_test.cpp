#include "cli/terminal/progress_bar.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace w2w::cli {
namespace {

/// What a run of `total` steps writes to a stderr that is no terminal.
std::string plain_lines(int total) {
  testing::internal::CaptureStderr();
  ProgressBar bar;
  for (int step = 1; step <= total; ++step) bar.update({"denoising", step, total, "loss 0.5"});
  bar.clear();
  return testing::internal::GetCapturedStderr();
}

TEST(ProgressBar, ALineEveryTenPercentWithoutATerminal) {
  const auto text = plain_lines(200);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10);
  EXPECT_EQ(text.find("w2w: denoising 20/200 (10 %), "), 0U) << text;
  EXPECT_NE(text.find(" left, loss 0.5\n"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("w2w: denoising 200/200 (100 %), loss 0.5\n")) << text;
  EXPECT_EQ(text.find_first_of("\r\x1b"), std::string::npos);
}

TEST(ProgressBar, FewStepsGiveALineEach) {
  EXPECT_EQ(std::ranges::count(plain_lines(3), '\n'), 3);
  EXPECT_EQ(std::ranges::count(plain_lines(1), '\n'), 1);
}

TEST(ProgressBar, AStageThatStartsAgainCountsAnew) {
  testing::internal::CaptureStderr();
  ProgressBar bar;
  for (int picture = 0; picture < 2; ++picture) {
    for (int step = 1; step <= 10; ++step) bar.update({"denoising", step, 10, ""});
  }
  const auto text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(text, '\n'), 20);
}

/// 65,000 people of 800 steps are 52 million.
TEST(ProgressBar, CountsFurtherThan32Bits) {
  for (const int64_t total : {int64_t{65'000} * 800, int64_t{65'000} * 800 * 1'000'000}) {
    testing::internal::CaptureStderr();
    ProgressBar bar;
    for (const int64_t part : {3, 5, 9, 10}) bar.update({"training", total / 10 * part, total, ""});
    const auto text = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::ranges::count(text, '\n'), 4) << text;
    EXPECT_NE(text.find(fmt::format("w2w: training {}/{} (50 %)", total / 2, total)), std::string::npos)
        << text;
    EXPECT_NE(text.find(fmt::format("w2w: training {0}/{0} (100 %)", total)), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace w2w::cli
