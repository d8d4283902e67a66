#include "w2w/space/directions/direction_fit.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "space/directions/logistic.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/generator.h"

namespace w2w {
namespace {

constexpr int64_t models = 120, components = 6;

Space space_of(const at::Tensor& projections) {
  SpaceData data;
  data.mean = at::ones({12});
  data.std = at::ones({12});
  data.components = Generator(9).randn({projections.size(1), 12});
  data.projections = projections;
  return {data, "folder"};
}

/// Off-centre, correlated columns of different sizes.
at::Tensor mixed_projections() {
  Generator random(5);
  const auto p = at::mm(random.randn({models, components}), random.randn({components, components})) + 2;
  return p * at::tensor({100.0F, 30.0F, 10.0F, 3.0F, 1.0F, 0.1F});
}

class DirectionFitTest : public ::testing::Test {
 protected:
  /// A and B follow the first column with noise, D is A with holes, Rare is true of two models, Same is A.
  Labels labels(const Space& space) const {
    std::string csv = "name,A,B,D,Rare,Same\n";
    const auto drawn = Generator(7).randn({space.data().projections.size(0), 2});
    const auto& p = space.data().projections;
    for (int64_t i = 0; i < p.size(0); ++i) {
      const auto label = [&](int64_t a) {
        return drawn[i][a].item<float>() + p[i][0].item<float>() / 150 > 1 ? ",1" : ",-1";
      };
      csv += std::to_string(i) + label(0) + label(1) + (i % 5 == 0 ? "," : label(0)) +
             (i < 2 ? ",1" : ",-1") + label(0) + "\n";
    }
    write_file(folder / "labels.csv", csv);
    return Labels::read(folder / "labels.csv", space);
  }
  test::TemporaryFolder folder;
};

TEST_F(DirectionFitTest, MeanDifference) {
  const auto space = space_of(mixed_projections());
  const auto table = labels(space);
  const auto found = fit_directions(
      space, table,
      {.attributes = {"D", "Rare"}, .components = 4, .method = DirectionMethod::mean_difference});
  const auto p = space.data().projections.narrow(1, 0, 4).to(at::kDouble);
  for (int64_t a = 0; a < 2; ++a) {
    const auto y = table.column(found.attributes[static_cast<size_t>(a)]);
    const auto mean = [&](float label) { return p.index({y.eq(label)}).mean(0); };
    EXPECT_LT((found.vectors[a] - mean(1) + mean(-1)).abs().max().item<double>(), 1e-10);
  }
  EXPECT_EQ(found.method, "mean-difference");
  EXPECT_FALSE(found.penalty);
}

/// The gradient of the loss by the weights of standardised projections and by the intercept is zero.
TEST_F(DirectionFitTest, LogisticIsTheMinimum) {
  const auto space = space_of(mixed_projections());
  const auto table = labels(space);
  for (const double penalty : {1e-6, 0.01, 10.0}) {
    const auto found = fit_directions(space, table,
                                      {.attributes = {"A", "D", "Rare"},
                                       .components = components,
                                       .method = DirectionMethod::logistic,
                                       .penalty = penalty});
    const auto p = space.data().projections.to(at::kDouble);
    const auto std = p.std(0), z = (p - p.mean(0)) / std;
    for (int64_t a = 0; a < 3; ++a) {
      const auto y = table.column(found.attributes[static_cast<size_t>(a)]).to(at::kDouble).nan_to_num();
      const auto known = y.ne(0);
      const auto w = found.vectors[a] * std;
      // The intercept is found by bisection of its own derivative.
      const auto slope = [&](double b) {
        return at::where(known, -y * at::sigmoid(-y * (z.mv(w) + b)), 0.0) / known.sum();
      };
      double low = -1e3, high = 1e3;
      for (int i = 0; i < 100; ++i) {
        const double middle = (low + high) / 2;
        (slope(middle).sum().item<double>() > 0 ? high : low) = middle;
      }
      const auto gradient = z.t().mv(slope(low)) + penalty * w;
      EXPECT_LT(gradient.norm().item<double>(), 1e-8) << penalty << " " << a;
      EXPECT_GT(w.norm().item<double>(), 1e-3);
    }
  }
}

TEST_F(DirectionFitTest, LogisticOfSeparableGroupsAndOfConstantColumns) {
  auto p = Generator(3).randn({models, 3});
  p.select(1, 2).fill_(7);
  const auto y = at::where(p.select(1, 0) > 0.2, 1.0, -1.0).to(at::kDouble).unsqueeze(1);
  const auto d = logistic_normals(p, y, 1e-6, {});
  EXPECT_EQ(d[2].item<double>(), 0);
  EXPECT_GT(d[0].item<double>(), 20);
  EXPECT_TRUE((y.squeeze(1) * (p.to(at::kDouble).mv(d.squeeze(1)) - 0.2 * d[0].item<double>()) > -2)
                  .all()
                  .item<bool>());
}

TEST_F(DirectionFitTest, DirectionsWithoutTheOthers) {
  const auto space = space_of(mixed_projections());
  const auto table = labels(space);
  for (const auto method : {DirectionMethod::lstsq, DirectionMethod::mean_difference,
                            DirectionMethod::logistic, DirectionMethod::ridge}) {
    DirectionFit fit{.attributes = {"A", "B", "Rare"}, .components = components, .method = method};
    const auto raw = fit_directions(space, table, fit);
    fit.without = fit.attributes;
    const auto debiased = fit_directions(space, table, fit);
    const auto products = at::mm(debiased.vectors, raw.vectors.t());
    for (int64_t a = 0; a < 3; ++a) {
      for (int64_t b = 0; b < 3; ++b) {
        const double size = (debiased.vectors[a].norm() * raw.vectors[b].norm()).item<double>();
        if (a == b) continue;
        EXPECT_LT(std::abs(products[a][b].item<double>()), 1e-12 * size);
      }
      EXPECT_NEAR(products[a][a].item<double>() / debiased.vectors[a].square().sum().item<double>(), 1, 1e-9);
      const auto answers =
          space.data().projections.to(at::kDouble).mv(debiased.vectors[a]) / debiased.vectors[a].norm();
      EXPECT_NEAR(debiased.deviation(a), answers.std(true).item<double>(), 1e-9);
      EXPECT_NEAR(debiased.largest[a].item<double>(), answers.max().item<double>(), 1e-9);
    }
    fit.attributes = {"Rare"};  // the others need not be kept
    EXPECT_LT((fit_directions(space, table, fit).vectors[0] - debiased.vectors[2]).abs().max().item<double>(),
              1e-9 * debiased.vectors[2].abs().max().item<double>());
  }
}

TEST_F(DirectionFitTest, HeldOutModels) {
  const auto mask = held_out_models(10, {.share = 0.25, .seed = 3});
  EXPECT_EQ(mask.sum().item<int64_t>(), 3);  // 2.5, rounded up
  const auto order = Generator(3).randperm(10);
  for (int64_t i = 0; i < 10; ++i) EXPECT_EQ(mask[order[i].item<int64_t>()].item<bool>(), i < 3);
  for (const double share : {0.0, 1.0, std::nan("")}) {
    test::expect_error(ErrorKind::usage, "share between 0 and 1",
                       [&] { held_out_models(10, {.share = share}); });
  }
}

/// Scores that can be counted on one's fingers: one component, two groups that overlap in the test.
TEST_F(DirectionFitTest, HeldOutScores) {
  const Holdout holdout{.share = 0.5, .seed = 1};
  const auto held_out = held_out_models(12, holdout);
  auto p = at::zeros({12, 1});
  std::string csv = "name,A,Once\n";
  // Learned: -1 and +1, so the middle is 0. Tested, with: 2, 1, -1, -2; without: -1, 3.
  const float learned[] = {-1, 1, -1, 1, -1, 1}, tested[] = {2, 1, -1, -2, -1, 3};
  const char *learned_labels[] = {"-1", "1", "-1", "1", "-1", "1"},
             *tested_labels[] = {"1", "1", "1", "1", "-1", "-1"};
  int learned_next = 0, tested_next = 0;
  for (int64_t i = 0; i < 12; ++i) {
    const bool test = held_out[i].item<bool>();
    int& next = test ? tested_next : learned_next;
    p[i][0] = (test ? tested : learned)[next];
    csv +=
        std::to_string(i) + "," + (test ? tested_labels : learned_labels)[next] + (i == 0 ? ",1\n" : ",-1\n");
    ++next;
  }
  const auto space = space_of(p);
  write_file(folder / "l.csv", csv);
  const auto table = Labels::read(folder / "l.csv", space);
  for (const auto method :
       {DirectionMethod::lstsq, DirectionMethod::mean_difference, DirectionMethod::logistic}) {
    const auto test = held_out_scores(
        space, table, {.attributes = {"A", "Once"}, .components = 1, .method = method}, holdout);
    EXPECT_EQ(test.models, 6);
    const auto& scores = test.scores;
    ASSERT_TRUE(scores[0].has_value());
    EXPECT_EQ(scores[0]->models, 6);
    EXPECT_DOUBLE_EQ(scores[0]->accuracy, 3.0 / 6);
    EXPECT_DOUBLE_EQ(scores[0]->balanced_accuracy, (2.0 / 4 + 1.0 / 2) / 2);
    EXPECT_DOUBLE_EQ(scores[0]->majority, 4.0 / 6);
    EXPECT_DOUBLE_EQ(scores[0]->auc, (1 + 1 + 0.5 + 0) / 8);  // over -1; none is over 3
    EXPECT_FALSE(scores[1].has_value());
  }
}

TEST(HeldOut, ChanceIsWhatRandomLabelsReach) {
  // 0.5 + 2 sqrt((n + 1) / (12 a b)) by numpy: 0.6803 for 21 and 21, 0.5115 for 5000 and 5000, 0.8266 for 5
  // and 10.
  const auto score = [](int64_t count, double majority, double auc) {
    return HeldOutScore{.models = count, .majority = majority, .auc = auc};
  };
  EXPECT_TRUE(is_chance(score(42, 0.5, 0.680)));
  EXPECT_FALSE(is_chance(score(42, 0.5, 0.681)));
  EXPECT_TRUE(is_chance(score(10000, 0.5, 0.55)));
  EXPECT_FALSE(is_chance(score(10000, 0.5, 0.551)));
  EXPECT_TRUE(is_chance(score(15, 2.0 / 3, 0.75)));
  EXPECT_FALSE(is_chance(score(15, 2.0 / 3, 0.751)));
  EXPECT_TRUE(is_chance(score(42, 0.5, 0.1)));
}

TEST_F(DirectionFitTest, WhatDoesNotFit) {
  const auto space = space_of(mixed_projections());
  const auto table = labels(space);
  const auto expect = [&](ErrorKind kind, const std::string& text, const DirectionFit& fit) {
    test::expect_error(kind, text, [&] { fit_directions(space, table, fit); });
  };
  expect(ErrorKind::usage, "expected 1 to 6 components", {.attributes = {"A"}, .components = 7});
  expect(ErrorKind::usage, "expected 1 to 6 components", {.attributes = {"A"}});
  expect(ErrorKind::usage, "attributes to fit directions of", {.attributes = {}, .components = 6});
  expect(ErrorKind::usage, "'A' is named twice", {.attributes = {"A", "B", "A"}, .components = 6});
  expect(ErrorKind::usage, "'B' is named twice",
         {.attributes = {"A"}, .components = 6, .without = {"B", "B"}});
  expect(ErrorKind::usage, "unknown attribute 'C'", {.attributes = {"C"}, .components = 6});
  expect(ErrorKind::usage, "unknown attribute 'C'", {.attributes = {"A"}, .components = 6, .without = {"C"}});
  expect(ErrorKind::usage, "lstsq has no penalty", {.attributes = {"A"}, .components = 6, .penalty = 1});
  expect(ErrorKind::usage, "above 0, found 0",
         {.attributes = {"A"}, .components = 6, .method = DirectionMethod::logistic, .penalty = 0});
  expect(ErrorKind::usage, "from 0, found -1",
         {.attributes = {"A"}, .components = 6, .method = DirectionMethod::ridge, .penalty = -1});
  expect(ErrorKind::failure, "nothing is left of 'A' when B, Same",
         {.attributes = {"A"}, .components = 6, .without = {"A", "B", "Same"}});
}

TEST_F(DirectionFitTest, ProjectionsThatAreNotFinite) {
  auto p = mixed_projections();
  p[3][1] = std::nanf("");
  const auto space = space_of(p);
  const auto table = labels(space);
  for (const auto method :
       {DirectionMethod::lstsq, DirectionMethod::mean_difference, DirectionMethod::ridge}) {
    test::expect_error(ErrorKind::malformed, "training model number 3 are not finite (folder)", [&] {
      fit_directions(space, table, {.attributes = {"B"}, .components = components, .method = method});
    });
  }
}

TEST_F(DirectionFitTest, AnAttributeThatNothingFollows) {
  const auto p = at::tensor({1.0F, 1.0F, -1.0F, -1.0F}).unsqueeze(1);
  const auto space = space_of(p);
  write_file(folder / "l.csv", "name,A\n0,1\n1,-1\n2,1\n3,-1\n");
  const auto table = Labels::read(folder / "l.csv", space);
  for (const auto method : {DirectionMethod::lstsq, DirectionMethod::mean_difference,
                            DirectionMethod::logistic, DirectionMethod::ridge}) {
    test::expect_error(
        ErrorKind::failure, "'A' has no direction: models with and without it do not differ along 1",
        [&] { fit_directions(space, table, {.attributes = {"A"}, .components = 1, .method = method}); });
  }
}

}  // namespace
}  // namespace w2w
