#include "w2w/pipeline/mask.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace w2w {
namespace {

/// A grey picture of one row.
Image grey(const std::vector<int64_t>& values) {
  const auto row = at::tensor(values, at::kLong).to(at::kByte);
  return {row.view({1, -1, 1}).expand({1, row.numel(), 3}).contiguous(), {}};
}

std::vector<float> weights(const Image& mask, const std::vector<int64_t>& labels = {}) {
  const auto row = mask_weights(mask, "mask.png", labels).flatten().contiguous();
  return {row.data_ptr<float>(), row.data_ptr<float>() + row.numel()};
}

TEST(Mask, TwoValuesAreNoAndYes) {
  for (const int64_t high : {1, 2, 128, 255})
    EXPECT_EQ(weights(grey({0, high, 0})), (std::vector<float>{0, 1, 0}));
  EXPECT_EQ(weights(grey({7, 9})), (std::vector<float>{0, 1}));
  EXPECT_EQ(weights(grey({1, 1})), (std::vector<float>{1, 1}));
  EXPECT_EQ(weights(grey({0, 0})), (std::vector<float>{0, 0}));
  Image red = grey({0, 1});
  red.pixels.select(2, 0).mul_(255);
  EXPECT_EQ(weights(red), (std::vector<float>{0, 1}));
}

TEST(Mask, GreyLevelsCountInPart) {
  EXPECT_EQ(weights(grey({0, 51, 255})), (std::vector<float>{0, 0.2F, 1}));
}

TEST(Mask, MapsOfClassesAreRefusedUnlessClassesAreChosen) {
  const auto map = grey({0, 1, 5, 17, 18});
  test::expect_error(ErrorKind::malformed,
                     "the mask is a class map of 5 classes, 0 to 18 (mask.png): expected white",
                     [&] { weights(map); });
  EXPECT_EQ(weights(map, {1, 2, 17}), (std::vector<float>{0, 1, 0, 1, 0}));
  test::expect_error(ErrorKind::malformed,
                     "the mask contains none of the classes 2, 3 (mask.png): found 0, 1, 5, 17, 18", [&] {
                       weights(map, {2, 3});
                     });
}

TEST(Mask, PaletteIndicesAreClasses) {
  Image map = grey({200, 100, 250});
  map.pixels.select(2, 1).fill_(3);  // colours
  map.indices = at::arange(3).to(at::kByte).view({1, 3});
  test::expect_error(ErrorKind::malformed, "the mask is a class map of 3 classes, 0 to 2 (mask.png)",
                     [&] { weights(map); });
  EXPECT_EQ(weights(map, {2}), (std::vector<float>{0, 0, 1}));
  map.indices = at::Tensor();
  test::expect_error(ErrorKind::malformed,
                     "expected a class map, grey or with a palette, found a colour picture",
                     [&] { weights(map, {2}); });
}

}  // namespace
}  // namespace w2w
