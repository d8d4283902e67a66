#include "w2w/lora/algebra.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_norm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "w2w/base/generator.h"

namespace w2w {
namespace {

Factors random_factors(int64_t in, int64_t out, int64_t rank, double scale, uint64_t seed) {
  Generator random(seed);
  return {random.randn({rank, in}), random.randn({out, rank}), scale};
}

double distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(Bake, AddsTheChangeInF32) {
  const auto factors = random_factors(20, 30, 2, 27, 1);
  const auto base = Generator(2).randn({30, 20});
  auto weight = at::zeros({30, 20});
  bake(weight, base, factors);
  const auto exact = base.to(at::kDouble) + factors.up.to(at::kDouble).mm(factors.down.to(at::kDouble)) * 27;
  EXPECT_LT(distance(weight.to(at::kDouble), exact), 1e-5 * 27);
  EXPECT_LT(distance(weight, base + delta(factors)), 1e-5 * 27);
}

TEST(Bake, RoundsOnceForNarrowWeights) {
  const auto factors = random_factors(20, 30, 1, 27, 1);
  const auto base = Generator(2).randn({30, 20});
  for (const auto dtype : {at::kHalf, at::kBFloat16}) {
    auto narrow = at::zeros({30, 20}, dtype), wide = at::zeros({30, 20});
    bake(wide, base, factors);
    bake(narrow, base, factors);
    EXPECT_TRUE(narrow.equal(wide.to(dtype)));
    bake(wide, base.to(dtype), factors);  // a narrow base: its values are exact in f32
    bake(narrow, base.to(dtype), factors);
    EXPECT_TRUE(narrow.equal(wide.to(dtype)));
  }
}

TEST(Bake, RefusesOtherShapes) {
  const auto factors = random_factors(20, 30, 1, 27, 1);
  auto weight = at::zeros({20, 30});
  test::expect_error(ErrorKind::failure,
                     "change of a [30, 20] matrix does not fit a weight [20, 30] with base [20, 30]",
                     [&] { bake(weight, weight, factors); });
}

TEST(BestRankOne, KeepsRankOneAsItIs) {
  const auto factors = random_factors(8, 9, 1, 27, 3);
  const auto best = best_rank_one(factors);
  EXPECT_TRUE(best.down.equal(factors.down) && best.up.equal(factors.up));
  EXPECT_EQ(best.scale, 27);
}

TEST(BestRankOne, IsTheFirstSingularPair) {
  for (const double scale : {0.5, -2.0}) {
    const auto factors = random_factors(40, 25, 6, scale, 4);
    const auto best = best_rank_one(factors);
    ASSERT_EQ(best.rank(), 1);
    const auto singular = std::get<1>(at::Tensor(delta(factors).to(at::kDouble)).svd());
    const auto left_over = (delta(factors) - delta(best)).to(at::kDouble);
    const double energy = singular.square().sum().item<double>() - singular[0].square().item<double>();
    EXPECT_NEAR(left_over.square().sum().item<double>(), energy, 1e-4 * energy);
    EXPECT_NEAR(best.down.norm().item<double>(), best.up.norm().item<double>(), 1e-4);
    EXPECT_GT(best.down[0][best.down.abs().argmax().item<int64_t>()].item<double>(), 0);
  }
}

TEST(BestRankOne, OfMoreRankThanTheMatrixAllows) {
  const auto factors = random_factors(3, 4, 6, 1, 5);
  const auto best = best_rank_one(factors);
  const auto singular = std::get<1>(delta(factors).svd());
  EXPECT_NEAR(delta(best).norm().item<double>(), singular[0].item<double>(), 1e-4);
}

TEST(Blend, AddsModelsNotFactors) {
  const auto a = random_factors(8, 9, 1, 27, 6), b = random_factors(8, 9, 2, 0.5, 7);
  const auto sum = blend({{{{"m", a}}, 0.25}, {{{"m", b}, {"n", b}}, 2.0}});
  ASSERT_EQ(sum.size(), 2U);
  EXPECT_EQ(sum.at("m").rank(), 3);
  EXPECT_LT(distance(delta(sum.at("m")), delta(a) * 0.25 + delta(b) * 2), 1e-4);
  EXPECT_LT(distance(delta(sum.at("n")), delta(b) * 2), 1e-5);
}

TEST(Folded, MovesTheScaleIntoUp) {
  const auto factors = random_factors(8, 9, 1, 27, 6);
  const auto result = folded({{"m", factors}}).at("m");
  EXPECT_EQ(result.scale, 1.0);
  EXPECT_TRUE(result.down.equal(factors.down));
  EXPECT_TRUE(result.up.equal(factors.up * 27));
}

}  // namespace
}  // namespace w2w
