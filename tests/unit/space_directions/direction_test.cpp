#include "w2w/space/direction.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_lstsq.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "space/directions/least_squares.h"
#include "space/directions/row_blocks.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/generator.h"
#include "w2w/io/tensor_file.h"
#include "w2w/space/directions/direction_fit.h"

namespace w2w {
namespace {

constexpr int64_t models = 60, components = 8;

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>() /
         b.to(at::kDouble).abs().max().item<double>();
}

at::Tensor lstsq(const at::Tensor& a, const at::Tensor& b) {
  return std::get<0>(at::linalg_lstsq(a.to(at::kDouble), b.to(at::kDouble), {}, "gelsd"));
}

/// Projections of correlated, off-centre columns of very different sizes.
Space correlated_space() {
  Generator random(5);
  SpaceData data;
  data.mean = at::ones({12});
  data.std = at::ones({12});
  data.components = random.randn({components, 12});
  data.projections = at::mm(random.randn({models, components}), random.randn({components, components})) + 2;
  data.projections *= at::tensor({100.0, 30.0, 10.0, 3.0, 1.0, 0.5, 0.2, 0.1}).to(at::kFloat);
  return {data, "folder"};
}

class DirectionTest : public ::testing::Test {
 protected:
  /// Labels that follow the projections with noise, so that attributes are correlated.
  Labels labels(const Space& space) const {
    std::string csv = "name,A,B,C,Hole\n";
    const auto drawn = Generator(7).randn({models, 3});
    const auto& p = space.data().projections;
    for (int64_t i = 0; i < models; ++i) {
      csv += std::to_string(i);
      for (int64_t a = 0; a < 3; ++a) {
        const double value = drawn[i][a].item<double>() + p[i][0].item<double>() / 100 * (a < 2 ? 1 : -1);
        csv += value > 0 ? ",1" : ",-1";
      }
      csv += i % 5 == 0 ? ",\n" : i % 2 == 0 ? ",0\n" : ",1\n";
    }
    write_file(folder / "labels.csv", csv);
    return Labels::read(folder / "labels.csv", space);
  }
  test::TemporaryFolder folder;
};

TEST(LeastSquares, OfAnyMatrix) {
  Generator random(1);
  const auto all = at::ones({50}, at::kBool);
  const auto right = random.randn({50, 3}).to(at::kDouble);
  const auto general = random.randn({50, 8}) + 1;
  EXPECT_LT(distance(least_squares(general, all, right), lstsq(general, right)), 1e-10);
  const auto orthogonal = std::get<0>(at::linalg_qr(random.randn({50, 8}).to(at::kDouble))) * 3;
  EXPECT_LT(distance(least_squares(orthogonal, all, right), lstsq(orthogonal, right)), 1e-10);
  const auto few = random.randn({5, 8});  // fewer rows than columns: minimum norm
  const auto short_right = right.narrow(0, 0, 5);
  EXPECT_LT(distance(least_squares(few, all.narrow(0, 0, 5), short_right), lstsq(few, short_right)), 1e-9);
  auto repeated = at::cat({general, general.narrow(1, 0, 1)}, 1);
  EXPECT_LT(distance(least_squares(repeated, all, right), lstsq(repeated, right)), 1e-6);
}

TEST(LeastSquares, UncorrelatedColumnsThatAreNotCentredAreNotOrthogonal) {
  const auto centred = std::get<0>(at::linalg_qr(Generator(1).randn({50, 8}).to(at::kDouble)));
  const auto off = centred - centred.mean(0) + 0.3;
  const auto right = Generator(2).randn({50, 1}).to(at::kDouble);
  EXPECT_LT(distance(least_squares(off, at::ones({50}, at::kBool), right), lstsq(off, right)), 1e-10);
}

TEST(LeastSquares, WithAPenaltyInUnitsOfTheColumns) {
  const auto a = (Generator(1).randn({50, 8}) + 1).to(at::kDouble),
             right = Generator(2).randn({50, 2}).to(at::kDouble);
  const auto gram = a.t().mm(a);
  const auto penalty = 0.3 * gram.diagonal().mean() * at::eye(8, at::kDouble);
  const auto all = at::ones({50}, at::kBool);
  const auto expected = at::linalg_solve(gram + penalty, a.t().mm(right));
  EXPECT_LT(distance(least_squares(a, all, right, 0.3), expected), 1e-10);
  EXPECT_LT(distance(100 * least_squares(100 * a, all, right, 0.3), expected), 1e-10);
  EXPECT_LT(
      distance(least_squares(at::cat({a, a}), at::cat({all, all}), at::cat({right, right}), 0.3), expected),
      1e-10);
  const auto orthogonal = std::get<0>(at::linalg_qr(a)) * at::arange(1, 9, at::kDouble);
  const auto squares = orthogonal.square().sum(0).unsqueeze(1);
  EXPECT_LT(distance(least_squares(orthogonal, all, right, 2),
                     orthogonal.t().mm(right) / (squares + 2 * squares.mean())),
            1e-10);
}

TEST(LeastSquares, OverSeveralBlocks) {
  const auto a = Generator(1).randn({9000, 6});
  const auto b = Generator(2).randn({9000, 2}).to(at::kDouble);
  EXPECT_LT(distance(least_squares(a, at::ones({9000}, at::kBool), b), lstsq(a, b)), 1e-10);
  EXPECT_LT(distance(product(a, b.narrow(0, 0, 6)), a.to(at::kDouble).mm(b.narrow(0, 0, 6))), 1e-12);
  EXPECT_LT(distance(transposed_product(a, b), a.to(at::kDouble).t().mm(b)), 1e-12);
}

TEST_F(DirectionTest, AreLeastSquaresOfTheLabelledModels) {
  const auto space = correlated_space();
  const auto table = labels(space);
  const auto found = fit_directions(space, table, {.attributes = {"C", "Hole"}, .components = 6});
  const auto p = space.data().projections.narrow(1, 0, 6);
  EXPECT_LT(distance(found.vectors[0].unsqueeze(1), lstsq(p, table.column("C").unsqueeze(1))), 1e-9);
  const auto hole = table.column("Hole");
  const auto known = hole.isnan().logical_not().nonzero().squeeze(1);
  EXPECT_LT(distance(found.vectors[1].unsqueeze(1),
                     lstsq(p.index_select(0, known), hole.index_select(0, known).unsqueeze(1))),
            1e-9);
  EXPECT_EQ(found.counts[1].sum().item<int64_t>(), known.numel());
  const auto answers = p.to(at::kDouble).mv(found.vectors[0]) / found.vectors[0].norm();
  EXPECT_NEAR(found.deviation(0), answers.std(true).item<double>(), 1e-9);
  EXPECT_NEAR(found.largest[0].item<double>(), answers.max().item<double>(), 1e-9);
  EXPECT_NEAR(found.smallest[0].item<double>(), answers.min().item<double>(), 1e-9);
  test::expect_error(ErrorKind::usage, "expected 1 to 8 components for a direction",
                     [&] { fit_directions(space, table, {.attributes = {"A"}, .components = 9}); });
}

TEST_F(DirectionTest, StrengthsAreDeviationsOfTheTrainingModels) {
  const auto space = correlated_space();
  const auto directions =
      fit_directions(space, labels(space), {.attributes = {"A", "B", "C"}, .components = components});
  const auto p = space.data().projections.to(at::kDouble);
  for (const auto debias : {Debias::joint, Debias::sequential}) {
    const auto edit = edit_direction(directions, "A", {"C", "B"}, debias);
    const auto unit = edit.vector / edit.vector.norm();
    EXPECT_NEAR(edit.deviation, p.mv(unit).std(true).item<double>(), 1e-9);
    EXPECT_LT(distance(edit.step(-2, false), -2 * p.mv(unit).std(true) * unit), 1e-9);
    EXPECT_LT(distance(edit.step(1e3, true), 1e3 * edit.vector), 1e-12);
  }
}

TEST_F(DirectionTest, JointDebiasingSilencesEveryOtherClassifier) {
  const auto space = correlated_space();
  const auto directions =
      fit_directions(space, labels(space), {.attributes = {"A", "B", "C"}, .components = components});
  const auto answer = [&](const EditDirection& edit, int64_t other) {
    const auto& d = directions.vectors[other];
    return std::abs(edit.vector.dot(d).item<double>()) / (edit.vector.norm() * d.norm()).item<double>();
  };
  const auto joint = edit_direction(directions, "A", {"B", "C"});
  EXPECT_LT(answer(joint, 1), 1e-12);
  EXPECT_LT(answer(joint, 2), 1e-12);
  const auto sequential = edit_direction(directions, "A", {"B", "C"}, Debias::sequential);
  EXPECT_GT(answer(sequential, 1), 1e-3);  // taking out C brought some of B back
  EXPECT_LT(answer(sequential, 2), 1e-12);
  const auto one = edit_direction(directions, "A", {"B"}, Debias::sequential);
  EXPECT_LT(distance(one.vector, edit_direction(directions, "A", {"B"}).vector), 1e-12);
}

TEST_F(DirectionTest, WhatCannotBeEdited) {
  const auto space = correlated_space();
  auto directions =
      fit_directions(space, labels(space), {.attributes = {"A", "B", "C"}, .components = components});
  test::expect_error(ErrorKind::usage, "unknown attribute 'D'", [&] { edit_direction(directions, "D", {}); });
  test::expect_error(ErrorKind::usage, "unknown attribute 'D'",
                     [&] { edit_direction(directions, "A", {"D"}); });
  test::expect_error(ErrorKind::usage, "cannot be removed from itself",
                     [&] { edit_direction(directions, "A", {"A"}); });
  directions.vectors[0] = 2 * directions.vectors[1] - directions.vectors[2];
  test::expect_error(ErrorKind::failure, "nothing is left of 'A' when B, C", [&] {
    edit_direction(directions, "A", {"B", "C"});
  });
}

TEST_F(DirectionTest, WhatWasTakenOutIsNotTakenOutAgain) {
  const auto space = correlated_space();
  const auto table = labels(space);
  const auto raw = fit_directions(space, table, {.attributes = {"A", "B", "C"}, .components = components});
  const auto found =
      fit_directions(space, table, {.attributes = {"A", "C"}, .components = components, .without = {"B"}});
  const auto expected = edit_direction(raw, "A", {"B"});
  for (const auto& without : {std::vector<std::string>{}, {"B"}}) {
    const auto edit = edit_direction(found, "A", without);
    EXPECT_LT(distance(edit.vector, expected.vector), 1e-12);
    EXPECT_NEAR(edit.deviation, expected.deviation, 1e-12);
  }
  test::expect_error(
      ErrorKind::usage, "fitted with B removed: 'C' cannot be removed as well",
      [&] { edit_direction(found, "A", {"C"}); }, "fit directions with nothing removed");
}

TEST(Edited, TheShorterOneCountsAsContinuedWithZeros) {
  const auto step = at::tensor({1.0, 2.0}, at::kDouble);
  EXPECT_TRUE(edited(at::ones({3}), step).equal(at::tensor({2.0F, 3.0F, 1.0F})));
  EXPECT_TRUE(edited(at::ones({1}), step).equal(at::tensor({2.0F, 2.0F})));
}

TEST_F(DirectionTest, FileKeepsEverything) {
  const auto space = correlated_space();
  const auto directions =
      fit_directions(space, labels(space), {.attributes = {"A", "Hole"}, .components = 5});
  write_directions(folder / "d.safetensors", directions);
  write_directions(folder / "e.safetensors", directions);
  EXPECT_EQ(test::read_bytes(folder / "d.safetensors"), test::read_bytes(folder / "e.safetensors"));
  const auto read = read_directions(folder / "d.safetensors", space);
  EXPECT_EQ(read.attributes, directions.attributes);
  EXPECT_TRUE(read.counts.equal(directions.counts));
  EXPECT_LT(distance(edit_direction(read, "A", {"Hole"}).step(1, false),
                     edit_direction(directions, "A", {"Hole"}).step(1, false)),
            1e-6);
}

TEST_F(DirectionTest, FileSaysHowTheyWereFound) {
  const auto space = correlated_space();
  const auto path = folder / "d.safetensors";
  auto fitted = fit_directions(space, labels(space),
                               {.attributes = {"A", "B"},
                                .components = 5,
                                .method = DirectionMethod::ridge,
                                .penalty = 0.25,
                                .without = {"B", "C"}});
  write_directions(path, fitted);
  auto read = read_directions(path, space);
  EXPECT_EQ(read.method, "ridge");
  EXPECT_EQ(read.penalty, 0.25);
  EXPECT_EQ(read.without, (std::vector<std::string>{"B", "C"}));
  EXPECT_TRUE(read.smallest.equal(fitted.smallest));
  fitted.smallest = at::Tensor();  // as files were
  write_directions(path, fitted);
  auto file = read_safetensors(path);
  for (const auto* key : {"w2w.method", "w2w.penalty", "w2w.without"}) file.metadata.erase(key);
  write_safetensors(folder / "old", file.tensors, file.metadata);
  read = read_directions(folder / "old", space);
  EXPECT_EQ(read.method, "lstsq");
  EXPECT_FALSE(read.penalty || read.smallest.defined() || !read.without.empty());
}

TEST_F(DirectionTest, FilesOfOtherSpacesAndMalformedOnes) {
  const auto space = correlated_space();
  const auto directions = fit_directions(space, labels(space), {.attributes = {"A", "B"}, .components = 5});
  const auto path = folder / "d.safetensors";
  auto other = directions;
  other.space_hash = std::string(64, '0');
  write_directions(path, other);
  test::expect_error(
      ErrorKind::failure, "belong to another space", [&] { read_directions(path, space); },
      "give the <space> they were made with");

  const auto expect_malformed = [&](const std::string& text, const auto& change) {
    write_directions(path, directions);
    auto file = read_safetensors(path);
    auto tensors = file.tensors;
    auto metadata = file.metadata;
    change(tensors, metadata);
    write_safetensors(folder / "changed", tensors, metadata);
    test::expect_error(ErrorKind::malformed, text, [&] { read_directions(folder / "changed", space); });
  };
  expect_malformed("lacks the tensor 'covariance'", [](auto& t, auto&) { t.erase("covariance"); });
  expect_malformed("expected 'directions' [2, 5], found [1, 5]",
                   [](auto& t, auto&) { t["directions"] = t["directions"].narrow(0, 0, 1).clone(); });
  expect_malformed("expected 'directions' [2, 1000], found [10]",
                   [](auto& t, auto&) { t["directions"] = t["directions"].reshape({-1}); });
  expect_malformed("expected 'largest' [2]",
                   [](auto& t, auto&) { t["largest"] = at::ones({3}, at::kDouble); });
  expect_malformed("expected 'counts' of Long", [](auto& t, auto&) { t["counts"] = at::ones({2, 2}); });
  expect_malformed("'directions' is not finite", [](auto& t, auto&) {
    t["directions"] = at::full({2, 5}, std::nan(""));
  });
  expect_malformed("a direction is zero", [](auto& t, auto&) { t["directions"] = at::zeros({2, 5}); });
  expect_malformed("variance below zero", [](auto& t, auto&) {
    t["covariance"] = -at::ones({2, 2}, at::kDouble);
  });
  expect_malformed("lacks 'w2w.space'", [](auto&, auto& m) { m.erase("w2w.space"); });
  expect_malformed("expected format 1, found 2", [](auto&, auto& m) { m["w2w.format"] = "2"; });
  expect_malformed("JSON list of names", [](auto&, auto& m) { m["w2w.attributes"] = "A, B"; });
  expect_malformed("names an attribute twice", [](auto&, auto& m) { m["w2w.attributes"] = R"(["A", "A"])"; });
  expect_malformed("expected 'smallest' [2]",
                   [](auto& t, auto&) { t["smallest"] = at::ones({3}, at::kDouble); });
  expect_malformed("JSON list of names as 'w2w.without'", [](auto&, auto& m) { m["w2w.without"] = "A"; });
  expect_malformed("number as 'w2w.penalty', found 'much'",
                   [](auto&, auto& m) { m["w2w.penalty"] = "much"; });
  expect_malformed("names no attributes", [](auto&, auto& m) { m["w2w.attributes"] = "[]"; });
}

}  // namespace
}  // namespace w2w
