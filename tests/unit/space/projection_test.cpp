#include "w2w/space/projection.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/diag_embed.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "space/gauge.h"
#include "support/expect_error.h"
#include "w2w/base/generator.h"
#include "w2w/space/neighbours.h"

namespace w2w {
namespace {

const Targets targets = {
    {"down.attn1.to_q", 40, 40}, {"down.attn2.to_v", 60, 40}, {"mid.attn1.to_q", 50, 50}};
constexpr int64_t parameters = 280, count = 7;

/// A training set's worth of spread around models that share their A.
Space make_space(bool orthonormal) {
  Generator random(3);
  SpaceData data;
  data.layout = Layout(targets);
  data.mean = random.randn({parameters}) * 0.1;
  data.std = random.rand({parameters}) * 0.01 + 0.01;
  data.components = random.randn({count, parameters});
  if (orthonormal) data.components = std::get<0>(at::linalg_qr(data.components.t())).t().contiguous();
  data.projections = random.randn({9, count});
  return Space(data, "tiny");
}

Lora regauged(Lora lora, double first, double second, double third) {
  double t = first;
  for (auto& [module, factors] : lora) {
    factors = {factors.down * t, factors.up * (factors.scale / t), 1.0};
    t = t == first ? second : third;
  }
  return lora;
}

class ProjectionOf : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, ProjectionOf, testing::Bool());

TEST_P(ProjectionOf, ALoraOfTheSpaceIsItself) {
  const auto space = make_space(GetParam());
  const auto c = Generator(1).randn({count});
  for (const auto& lora :
       {space.lora(c), regauged(space.lora(c), 1, 1, 1), regauged(space.lora(c), -30, 0.01, 2)}) {
    const auto found = project(space, lora, count);
    EXPECT_LT((found.coefficients - c).abs().max().item<double>(), 1e-5);
    EXPECT_LT(found.outside, 1e-4);  // f32 factors
    EXPECT_LT(found.change_outside, 1e-6);
    EXPECT_EQ(found.rank_outside, 0);
  }
}

TEST_P(ProjectionOf, HalfOfAPersonOutsideIsSaid) {
  const auto space = make_space(GetParam());
  const auto c = Generator(1).randn({count});
  const auto few = project(space, space.lora(c), count - 3);
  EXPECT_EQ(few.coefficients.numel(), count - 3);
  EXPECT_GT(few.outside, 0.1);
  EXPECT_GT(few.change_outside, 0);
}

TEST(Projection, TheMeanPersonIsZero) {
  const auto space = make_space(true);
  auto lora = space.layout().factors(space.data().mean);
  const auto found = project(space, regauged(lora, 3, -1, 5), count);
  EXPECT_LT(found.coefficients.abs().max().item<double>(), 1e-4);
}

TEST(Projection, RefusesAnotherGeometry) {
  const auto space = make_space(true);
  auto lora = space.lora(Generator(1).randn({count}));
  test::expect_error(ErrorKind::usage, "1 to 7 components", [&] { project(space, lora, count + 1); });
  auto other = lora;
  other["mid.attn1.to_k"] = other["mid.attn1.to_q"];
  test::expect_error(ErrorKind::failure, "mid.attn1.to_k", [&] { project(space, other, count); });
  lora.erase("mid.attn1.to_q");
  test::expect_error(ErrorKind::failure, "does not change mid.attn1.to_q",
                     [&] { project(space, lora, count); });
}

/// Q = R^T R, so that y^T Q y = | R y |^2 with the zero at y = (t, 1 / t, -1).
TEST(Gauge, FindsScalesOfEitherSign) {
  const auto t = at::tensor({2.0, -0.5, 30.0, -7.0}, at::kDouble);
  const auto y = at::cat({t, t.reciprocal(), at::tensor({-1.0}, at::kDouble)});
  auto r = Generator(4).randn({30, 9}).to(at::kDouble);
  r.select(1, 8).copy_(r.narrow(1, 0, 8).mv(y.narrow(0, 0, 8)));
  const auto q = r.t().mm(r);
  const auto found = best_scales(q, q);
  EXPECT_LT(((found - t) / t).abs().max().item<double>(), 1e-9);
}

TEST(Neighbours, AreRankedByCosineAroundTheMean) {
  const auto space = make_space(true);
  const auto& projections = space.data().projections;
  const auto found = nearest_models(space, projections[4] * 3 - projections.mean(0) * 2, 9);
  EXPECT_EQ(found[0].row, 4);
  EXPECT_NEAR(found[0].cosine, 1, 1e-6);
  for (size_t i = 1; i < found.size(); ++i) EXPECT_LE(found[i].cosine, found[i - 1].cosine);
  test::expect_error(ErrorKind::usage, "1 to 9 neighbours",
                     [&] { nearest_models(space, projections[0], 10); });
  test::expect_error(ErrorKind::failure, "the mean person",
                     [&] { nearest_models(space, space.projection_statistics().mean, 1); });
  // As in f64 with numpy: the square of the length is beyond f32, the cosine is not.
  const auto far = nearest_models(space, projections[4] * 1e30, 1);
  EXPECT_NEAR(far[0].cosine,
              at::cosine_similarity(projections[far[0].row].to(at::kDouble) -
                                        space.projection_statistics().mean.to(at::kDouble),
                                    projections[4].to(at::kDouble), 0)
                  .item<double>(),
              1e-6);
  auto data = space.data();
  data.projections = projections.clone();
  data.projections[2][1] = NAN;
  data.projection_mean = space.projection_statistics().mean;
  data.projection_std = space.projection_statistics().std;
  test::expect_error(ErrorKind::malformed, "projections that are not finite",
                     [&] { nearest_models(Space(data, "folder"), projections[0], 1); });
}

}  // namespace
}  // namespace w2w
