#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "w2w/pipeline/dreambooth.h"

namespace w2w {
namespace {

using test::expect_error;

DreamboothOptions ten_steps(RateSchedule schedule, int64_t warmup) {
  DreamboothOptions options;
  options.steps = 10;
  options.learning_rate = 1;
  options.schedule = schedule;
  options.warmup = warmup;
  return options;
}

TEST(DreamboothOptions, RatesRiseOverTheWarmUpAndFallToNothingAfterTheLastStep) {
  for (const auto schedule : {RateSchedule::constant, RateSchedule::linear, RateSchedule::cosine}) {
    const auto options = ten_steps(schedule, 4);
    EXPECT_DOUBLE_EQ(options.rate(0), 0.25);
    EXPECT_DOUBLE_EQ(options.rate(3), 1);
    EXPECT_DOUBLE_EQ(options.rate(4), 1);
    EXPECT_NEAR(options.rate(10), schedule == RateSchedule::constant ? 1 : 0, 1e-12);
    EXPECT_NEAR(options.rate(7), schedule == RateSchedule::constant ? 1 : 0.5, 1e-12);
  }
}

TEST(DreamboothOptions, AWarmUpLongerThanTheTrainingIsNoDivisionByZero) {
  EXPECT_DOUBLE_EQ(ten_steps(RateSchedule::linear, 20).rate(9), 0.5);
}

TEST(DreamboothOptions, RefusesWhatMakesNoSense) {
  const auto refused = [](const std::string& says, auto change) {
    DreamboothOptions options;
    change(options);
    expect_error(ErrorKind::usage, says, [&] { options.check(); });
  };
  refused("rank must be 1 or more", [](auto& o) { o.rank = 0; });
  refused("learning rate must be above 0", [](auto& o) { o.learning_rate = 0; });
  refused("prior weight must be 0 or more", [](auto& o) { o.prior_weight = -1; });
  refused("at least one target layer", [](auto& o) { o.targets.clear(); });
}

}  // namespace
}  // namespace w2w
