#include "w2w/space/labels.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/generator.h"

namespace w2w {
namespace {

Space space_of(std::vector<std::string> names, int64_t models = 3, const std::string& origin = "folder") {
  SpaceData data;
  data.mean = at::ones({6});
  data.std = at::ones({6});
  data.components = Generator(1).randn({2, 6});
  if (models > 0) data.projections = Generator(2).randn({models, 2});
  data.names = std::move(names);
  return {data, origin};
}

class LabelsTest : public ::testing::Test {
 protected:
  Labels read(const std::string& csv, const Space& space) const {
    write_file(folder / "labels.csv", csv);
    return Labels::read(folder / "labels.csv", space);
  }
  void expect_column(const Labels& labels, const std::string& attribute, const std::vector<float>& expected) {
    EXPECT_TRUE(labels.column(attribute).equal(at::tensor(expected))) << attribute;
  }
  test::TemporaryFolder folder;
};

TEST_F(LabelsTest, AreMatchedByName) {
  const auto labels = read("name,Male,Young\nc,1,-1\na,-1,1\nb,1,1\n", space_of({"a", "b", "c"}));
  EXPECT_EQ(labels.attributes(), (std::vector<std::string>{"Male", "Young"}));
  expect_column(labels, "Male", {-1, 1, 1});
  expect_column(labels, "Young", {1, 1, -1});
}

TEST_F(LabelsTest, AreMatchedByCountWithoutNames) {
  expect_column(read("name,Male\n90,1\n7,-1\n8,1\n", space_of({})), "Male", {1, -1, 1});
  test::expect_error(ErrorKind::failure, "expected 3 rows, as the projections have, found 2",
                     [&] { read("name,Male\na,1\nb,-1\n", space_of({})); });
}

TEST_F(LabelsTest, AreMatchedByTheNamesThatCameWithTheSpace) {
  const auto space = space_of({}, 3, folder.path().string());
  const auto expect = [&](const std::string& own, const std::string& other, const std::vector<float>& order) {
    write_file(folder / "labels.csv", own);
    write_file(folder / "other.csv", other);
    expect_column(Labels::read(folder / "other.csv", space), "Young", order);
  };
  expect("name,Male\nb,1\na,-1\nc,1\n", "name,Young\na,1\nb,-1\nc,-1\n", {-1, 1, -1});
  expect("name,Male\nb,1\na,-1\nc,1\n", ",Young\n0,1\n1,-1\n2,-1\n", {1, -1, -1});      // counts its rows
  expect("name,Male\n2,1\n0,-1\n1,1\n", "name,Young\n0,1\n1,-1\n2,-1\n", {-1, 1, -1});  // names all the same
  expect(",Male\n0,1\n1,-1\n2,1\n", "name,Young\nx,1\ny,-1\nz,-1\n", {1, -1, -1});      // names nobody
  expect(",Male\n0,1\n1,-1\n", "name,Young\nx,1\ny,-1\nz,-1\n", {1, -1, -1});           // of others
  write_file(folder / "labels.csv", "name,Male\nb,1\na,-1\nc,1\n");
  expect_column(Labels::read(folder / "labels.csv", space), "Male", {1, -1, 1});
  test::expect_error(ErrorKind::failure, "unknown to the space: 'd'", [&] {
    write_file(folder / "other.csv", "name,Male\na,1\nb,1\nd,-1\n");
    Labels::read(folder / "other.csv", space);
  });
}

TEST_F(LabelsTest, RowsThatOnlyOneSideHasAreNamed) {
  test::expect_error(ErrorKind::failure, "no labels for 'b', 'c'; unknown to the space: 'x', 'y'", [&] {
    read("name,Male\nx,1\ny,1\na,-1\n", space_of({"a", "b", "c"}));
  });
  test::expect_error(ErrorKind::failure, "unknown to the space: 'd'", [&] {
    read("name,Male\na,1\nb,1\nc,1\nd,-1\n", space_of({"a", "b", "c"}));
  });
  test::expect_error(ErrorKind::malformed, "name 'a' twice", [&] {
    read("name,Male\na,1\na,1\nb,-1\n", space_of({"a", "b", "c"}));
  });
  test::expect_error(ErrorKind::failure, "has no projections",
                     [&] { read("name,Male\na,1\n", space_of({}, 0)); });
}

TEST_F(LabelsTest, ZeroAndOneMeanTheSame) {
  expect_column(read("name,Male\na,0\nb,1\nc,0\n", space_of({})), "Male", {-1, 1, -1});
}

TEST_F(LabelsTest, EmptyCellsAreUnknown) {
  const auto column = read("name,Male\na,0\nb,\nc,1\n", space_of({})).column("Male");
  EXPECT_TRUE(column[1].isnan().item<bool>());
  EXPECT_EQ(column[0].item<float>(), -1);
}

TEST_F(LabelsTest, ColumnsThatTellNothingApart) {
  const auto labels =
      read("name,Same,Zero,Age,Mixed,One\na,1,0,17,-1,\nb,1,0,1,0,\nc,1,0,-1,1,1\n", space_of({}));
  const auto expect = [&](const std::string& attribute, const std::string& text) {
    test::expect_error(ErrorKind::failure, text, [&] { labels.column(attribute); });
  };
  expect("Same", "does not separate the training models: 3 with it, 0 without");
  expect("Zero", "0 with it, 3 without");
  expect("One", "1 with it, 0 without");
  expect("Age", "expected labels +1 and -1, or 1 and 0, found other numbers");
  expect("Mixed", "found other numbers");
}

TEST_F(LabelsTest, UnknownAttributesGetTheNearestName) {
  const auto table = read("name,Male,Young\na,0,1\nb,1,0\nc,1,1\n", space_of({}));
  test::expect_error(
      ErrorKind::usage, "'Yong'", [&] { table.column("Yong"); }, "did you mean 'Young'?");
}

TEST_F(LabelsTest, ComeWithASpace) {
  EXPECT_FALSE(Labels::of_space(space_of({}, 3, folder.path().string())));
  std::filesystem::create_directories(folder / "files");
  write_file(folder / "files" / "identity_df.pt", "x");
  EXPECT_EQ(Labels::of_space(space_of({}, 3, folder.path().string())), folder / "files" / "identity_df.pt");
  write_file(folder / "labels.csv", "x");
  EXPECT_EQ(Labels::of_space(space_of({}, 3, folder.path().string())), folder / "labels.csv");
}

}  // namespace
}  // namespace w2w
