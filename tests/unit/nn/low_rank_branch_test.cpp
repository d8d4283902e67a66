#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "w2w/nn/layers.h"

namespace w2w::nn {
namespace {

TEST(LowRankBranch, PeopleTakeEqualPartsOfTheBatchInOrder) {
  constexpr int64_t people = 3, each = 2, rank = 2, in = 5, out = 4;
  const LowRankBranch together{at::randn({people, rank, in}), at::randn({people, out, rank})};
  const auto x = at::randn({people * each, 7, in});
  const auto y = together(x);
  ASSERT_EQ(y.sizes(), (at::IntArrayRef{people * each, 7, out}));
  for (int64_t i = 0; i < people; ++i) {
    const LowRankBranch alone{together.down[i], together.up[i]};
    EXPECT_TRUE(y.narrow(0, i * each, each).allclose(alone(x.narrow(0, i * each, each)), 1e-5, 1e-6));
  }
}

}  // namespace
}  // namespace w2w::nn
