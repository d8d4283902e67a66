#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "w2w/nn/layers.h"

namespace w2w::nn {
namespace {

TEST(JoinRows, WeightsBecomePartsOfOneMatrix) {
  const std::vector<Tensor> weights = {at::randn({2, 5}), at::randn({1, 5}), at::randn({4, 5})};
  const auto handle = weights[1];  // as an adapter keeps one
  const auto expected = at::cat(weights).clone();
  const auto all = join_rows(weights);
  EXPECT_TRUE(all.equal(expected));
  EXPECT_TRUE(at::cat(weights).equal(expected));

  handle.fill_(7);
  EXPECT_TRUE(all[2].eq(7).all().item<bool>());
  EXPECT_TRUE(all.narrow(0, 0, 2).equal(expected.narrow(0, 0, 2)));
  EXPECT_TRUE(all.narrow(0, 3, 4).equal(expected.narrow(0, 3, 4)));
}

}  // namespace
}  // namespace w2w::nn
