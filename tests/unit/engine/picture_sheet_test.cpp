#include "w2w/engine/picture_sheet.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "engine/font.h"
#include "support/expect_error.h"

namespace w2w {
namespace {

at::Tensor grey(int64_t height, int64_t width, int64_t shade) {
  return at::full({height, width, 3}, shade, at::kByte);
}

/// The rows and columns that hold exactly `shade`.
struct Extent {
  int64_t rows, columns;
};
Extent extent(const at::Tensor& sheet, int64_t shade) {
  const auto hit = sheet.select(2, 0).eq(shade);
  return {hit.any(1).sum().item<int64_t>(), hit.any(0).sum().item<int64_t>()};
}

bool has_ink(const at::Tensor& part) { return part.min().item<int64_t>() < 100; }

TEST(PictureSheet, EnlargesSmallPicturesByAWholeFactor) {
  const auto small = draw_sheet({.cells = {{grey(64, 64, 200)}}});
  EXPECT_EQ(extent(small, 200).rows, 192);
  EXPECT_EQ(extent(small, 200).columns, 192);
  const auto large = draw_sheet({.cells = {{grey(512, 384, 200)}}});
  EXPECT_EQ(extent(large, 200).rows, 512);
  EXPECT_EQ(extent(large, 200).columns, 384);
  EXPECT_EQ(large[0][0][0].item<int64_t>(), 255);
}

TEST(PictureSheet, KeepsThePixelsOfLargePictures) {
  auto picture = at::zeros({200, 300, 3}, at::kByte);
  picture.select(1, 7).fill_(90);
  const auto sheet = draw_sheet({.cells = {{picture}}});
  EXPECT_EQ(extent(sheet, 90).rows, 200);
  EXPECT_EQ(extent(sheet, 90).columns, 1);
}

TEST(PictureSheet, WritesLabelsAroundTheGrid) {
  PictureSheet sheet{.cells = {{grey(64, 64, 200), grey(64, 64, 201)}, {grey(64, 64, 202), {}}}};
  const auto bare = draw_sheet(sheet);
  EXPECT_FALSE(has_ink(bare));
  sheet.title = "Eyeglasses";
  sheet.columns = {"\u22122", "+2"};
  sheet.rows = {"seed 5", "Größe: Ωμέγα, Привет"};
  sheet.note = "w2w edit";
  const auto full = draw_sheet(sheet);
  EXPECT_TRUE(has_ink(full));
  EXPECT_GT(full.size(0), bare.size(0));
  EXPECT_GT(full.size(1), bare.size(1));
  EXPECT_GE(extent(full, 202).rows, 192);
  EXPECT_TRUE(full.equal(draw_sheet(sheet)));
}

TEST(PictureSheet, WrapsAndShortens) {
  PictureSheet sheet{.columns = {std::string(400, 'W')}, .cells = {{grey(64, 64, 200)}}};
  const auto one = draw_sheet(sheet);
  EXPECT_EQ(one.size(1), draw_sheet({.cells = {{grey(64, 64, 200)}}}).size(1));
  const Font font(Font::Weight::regular, 16);
  EXPECT_EQ(font.wrap("one two", 1000, 3), (std::vector<std::u32string>{U"one two"}));
  EXPECT_EQ(font.wrap("one\ntwo", 1000, 3), (std::vector<std::u32string>{U"one", U"two"}));
  EXPECT_EQ(font.wrap("one two", font.width(U"one t"), 3), (std::vector<std::u32string>{U"one", U"two"}));
  EXPECT_EQ(font.wrap("one two six", font.width(U"one\u2026"), 2),
            (std::vector<std::u32string>{U"one", U"two\u2026"}));
  EXPECT_TRUE(font.wrap("", 100, 3).empty());
  const auto cut = font.wrap("incomprehensibilities", 60, 3);
  ASSERT_EQ(cut.size(), 1U);
  EXPECT_EQ(cut[0].back(), U'\u2026');
  EXPECT_LE(font.width(cut[0]), 60);
}

TEST(PictureSheet, ReadsAnyText) {
  EXPECT_EQ(characters("aé€😀"), U"aé€😀");
  EXPECT_EQ(characters("\xff!"), U"\uFFFD!");
  PictureSheet sheet{.title = "\xff\xfe 😀 漢字", .cells = {{grey(64, 64, 200)}}};
  EXPECT_TRUE(has_ink(draw_sheet(sheet)));
}

TEST(PictureSheet, RefusesWhatIsNoGrid) {
  test::expect_error(ErrorKind::failure, "needs at least one picture", [] { draw_sheet({}); });
  test::expect_error(ErrorKind::failure, "of one size, found [32, 64, 3] beside [64, 64, 3]", [] {
    draw_sheet({.cells = {{grey(64, 64, 1), grey(32, 64, 1)}}});
  });
  test::expect_error(ErrorKind::failure, "u8 [H, W, 3]", [] {
    draw_sheet({.cells = {{at::zeros({4, 4})}}});
  });
  test::expect_error(ErrorKind::failure, "2 labels for 1 columns", [] {
    draw_sheet({.columns = {"a", "b"}, .cells = {{grey(64, 64, 1)}}});
  });
}

}  // namespace
}  // namespace w2w
