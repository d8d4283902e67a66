#include "w2w/lora/canonical.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "w2w/base/generator.h"
#include "w2w/lora/algebra.h"

namespace w2w {
namespace {

double distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(Canonical, IsTheSameChangeInOneForm) {
  Generator random(1);
  const Factors given{random.randn({1, 6}), random.randn({4, 1}), 3.0};
  const auto one = canonical(given);
  EXPECT_LT(distance(delta(one), delta(given)), 1e-6);
  EXPECT_NEAR(one.down.norm().item<double>(), one.up.norm().item<double>(), 1e-6);
  EXPECT_GT(one.down.flatten()[one.down.abs().argmax().item<int64_t>()].item<double>(), 0);
  for (const double t : {-1.0, 0.01, -250.0}) {
    const auto other = canonical({given.down * t, given.up / t, given.scale});
    EXPECT_LT(distance(other.down, one.down), 1e-6);
    EXPECT_LT(distance(other.up, one.up), 1e-6);
  }
}

TEST(Canonical, TakesTheSideOfAnother) {
  Generator random(2);
  const auto start = random.randn({1, 8});
  const Factors given{start + 0.1 * random.randn({1, 8}), random.randn({4, 1}), 1.0};
  EXPECT_GT((canonical(given, -start).down * -start).sum().item<double>(), 0);
  EXPECT_LT(distance(canonical(given, start).down, -canonical(given, -start).down), 1e-7);
}

TEST(Canonical, OfNoChange) {
  const auto none = canonical({Generator(3).randn({1, 5}), at::zeros({3, 1}), 1.0});
  EXPECT_EQ(none.down.abs().max().item<double>(), 0);
  EXPECT_EQ(none.up.abs().max().item<double>(), 0);
}

TEST(Canonical, OfHigherRankIsTheBestOfRankOne) {
  Generator random(4);
  const Factors given{random.randn({3, 6}), random.randn({4, 3}), 2.0};
  EXPECT_LT(distance(delta(canonical(given)), delta(best_rank_one(given))), 1e-5);
}

}  // namespace
}  // namespace w2w
