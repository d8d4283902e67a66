#include "w2w/pipeline/inversion_picture.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "w2w/base/run.h"

namespace w2w {
namespace {

Image random_image(int64_t width, int64_t height) {
  return {at::randint(0, 256, {height, width, 3}, at::kByte), {}};
}

Image grey(int64_t width, int64_t height, int value) {
  return {at::full({height, width, 3}, value, at::kByte), {}};
}

InversionPicture fitted(const Image& image, const std::optional<Image>& mask = {}, Fit fit = Fit::crop) {
  return fit_picture(image, "picture.png", mask, "mask.png", fit, 8, 8, 4);
}

TEST(FitPicture, OfTheRightSizeIsLeftAlone) {
  const auto image = random_image(8, 8);
  const auto picture = fitted(image);
  EXPECT_TRUE(picture.image.equal(image.pixels.permute({2, 0, 1}).to(at::kFloat) / 255 * 2 - 1));
  EXPECT_FALSE(picture.mask.defined());
}

TEST(FitPicture, CropsPictureAndMaskAlike) {
  for (const bool wide : {true, false}) {
    auto image = random_image(wide ? 13 : 8, wide ? 8 : 13), mask = grey(wide ? 13 : 8, wide ? 8 : 13, 0);
    const int64_t dim = wide ? 1 : 0;
    mask.pixels.narrow(dim, 2, 4).fill_(255);  // the left or upper half of what the crop leaves
    const auto picture = fitted(image, mask);
    const auto middle = image.pixels.narrow(dim, 2, 8).permute({2, 0, 1}).to(at::kFloat) / 127.5 - 1;
    EXPECT_LT((picture.image - middle).abs().max().item<float>(), 1e-6);
    const auto first = picture.mask.select(dim, 0), second = picture.mask.select(dim, 1);
    EXPECT_GT(first.min().item<float>(), 0.8);
    EXPECT_LT(second.max().item<float>(), 0.2);
  }
}

TEST(FitPicture, CropsAroundTheMask) {
  auto image = random_image(64, 16), mask = grey(64, 16, 0);
  mask.pixels.narrow(1, 2, 12).fill_(255);  // the middle would show none of it
  const auto left = fitted(image, mask);
  const auto same =
      fitted({image.pixels.narrow(1, 0, 16).clone(), {}}, Image{mask.pixels.narrow(1, 0, 16).clone(), {}});
  EXPECT_TRUE(left.image.equal(same.image));
  EXPECT_TRUE(left.mask.equal(same.mask));

  image = random_image(100, 100), mask = grey(100, 100, 0);
  mask.pixels.narrow(0, 60, 10).narrow(1, 20, 20).fill_(255);  // 20 wide: 28 with its margin
  const auto small = fitted(image, mask);
  const auto part = fitted({image.pixels.narrow(0, 51, 28).narrow(1, 16, 28).clone(), {}},
                           Image{mask.pixels.narrow(0, 51, 28).narrow(1, 16, 28).clone(), {}});
  EXPECT_TRUE(small.image.equal(part.image));
  EXPECT_TRUE(small.mask.equal(part.mask));

  auto see_through = random_image(64, 16);  // alpha is a mask, too
  see_through.pixels = at::cat({see_through.pixels, mask.pixels.new_zeros({16, 64, 1})}, 2);
  see_through.pixels.narrow(2, 3, 1).narrow(1, 50, 10).fill_(255);
  EXPECT_TRUE(fitted(see_through).mask.defined());
}

TEST(FitPicture, PadsWithGreyThatDoesNotCount) {
  const auto picture = fitted(grey(8, 4, 255), {}, Fit::pad);
  EXPECT_TRUE(picture.image.narrow(1, 2, 4).equal(at::full({3, 4, 8}, 1.0F)));
  EXPECT_EQ(picture.image.narrow(1, 0, 2).abs().max().item<float>(), 0);
  EXPECT_EQ(picture.image.narrow(1, 6, 2).abs().max().item<float>(), 0);
  EXPECT_LT(picture.mask.max().item<float>(), 1);  // each latent row is half border
  EXPECT_GT(picture.mask.min().item<float>(), 0.4);
}

TEST(FitPicture, StretchesAllOfIt) {
  auto image = grey(16, 8, 0);
  image.pixels.narrow(1, 8, 8).fill_(255);
  const auto picture = fitted(image, {}, Fit::stretch);
  EXPECT_EQ(picture.image.select(2, 0).max().item<float>(), -1);
  EXPECT_EQ(picture.image.select(2, 7).min().item<float>(), 1);
}

TEST(FitPicture, AlphaIsAMask) {
  auto alpha = at::full({8, 8, 1}, 255, at::kByte);
  alpha.narrow(0, 4, 4).fill_(0);
  const Image image{at::cat({random_image(8, 8).pixels, alpha}, 2), {}};
  const auto picture = fitted(image);
  EXPECT_GT(picture.mask[0].min().item<float>(), 0.8);
  EXPECT_LT(picture.mask[1].max().item<float>(), 0.2);
  EXPECT_TRUE(fitted(random_image(8, 8), image).mask.equal(picture.mask));    // also of a mask file
  EXPECT_GT(fitted(image, grey(8, 8, 255)).mask.min().item<float>(), 0.999);  // a mask file counts first
}

TEST(FitPicture, OpaqueAlphaIsNone) {
  const auto opaque = at::full({8, 8, 1}, 255, at::kByte);
  EXPECT_FALSE(fitted({at::cat({random_image(8, 8).pixels, opaque}, 2), {}}).mask.defined());
}

TEST(FitPicture, GreyMasksCountPartly) {
  EXPECT_NEAR(fitted(random_image(8, 8), grey(8, 8, 51)).mask.mean().item<float>(), 0.2, 1e-6);
}

TEST(FitPicture, OfAReducedPictureTheMaskIsOfTheWholeOne) {
  auto mask = grey(26, 16, 0);
  mask.pixels.narrow(1, 5, 4).fill_(255);
  const auto whole = fitted(random_image(26, 16), mask);
  auto reduced = random_image(13, 8);
  reduced.full_size = {16, 26};
  EXPECT_TRUE(fitted(reduced, mask).mask.equal(whole.mask));
}

TEST(FitPicture, MaskOfAnotherSizeIsResizedWithANotice) {
  std::string said;
  const w2w::Run run{{}, nullptr, [&](LogLevel, std::string_view text) { said = text; }};
  auto mask = grey(4, 4, 0);
  mask.pixels.narrow(0, 0, 2).fill_(255);
  const auto picture =
      fit_picture(random_image(8, 8), "picture.png", mask, "mask.png", Fit::crop, 8, 8, 4, {}, run);
  EXPECT_EQ(said, "the mask (mask.png) is 4x4, its picture 8x8: the mask is resized");
  EXPECT_GT(picture.mask[0].min().item<float>(), 0.7);
  EXPECT_LT(picture.mask[1].max().item<float>(), 0.3);
}

TEST(FitPicture, RefusesAMaskThatHidesEverything) {
  const std::string message =
      "the mask hides the whole picture (mask.png): expected white where the person is";
  test::expect_error(ErrorKind::malformed, message, [] { fitted(grey(8, 8, 0), grey(8, 8, 0)); });
  auto edges = grey(32, 8, 255);
  edges.pixels.narrow(1, 4, 24).fill_(0);  // white only where the crop cuts
  test::expect_error(ErrorKind::malformed, message, [&] { fitted(grey(32, 8, 0), edges); });
  EXPECT_TRUE(fitted(grey(32, 8, 0), edges, Fit::stretch).mask.defined());
}

}  // namespace
}  // namespace w2w
