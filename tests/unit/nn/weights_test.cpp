#include "w2w/nn/weights.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace w2w::nn {
namespace {

Weights taken(const std::string& name, const at::Tensor& tensor) {
  Weights weights({{name, tensor}}, "model/unet", at::device(at::kCPU).dtype(at::kFloat));
  weights.take(name, tensor.sizes());
  return weights;
}

/// What is left of a download that reserved its space and did not come to an end.
TEST(Weights, AMatrixThatEndsWithZerosIsNotWhole) {
  for (const auto& shape : {std::vector<int64_t>{64, 64}, {8, 3, 3, 3}}) {
    auto kernel = at::randn(shape);
    EXPECT_NO_THROW(taken("conv.weight", kernel).finish());
    kernel.view(-1).narrow(0, kernel.numel() / 2, kernel.numel() - kernel.numel() / 2).zero_();
    if (kernel.nbytes() < 8192) kernel.zero_();
    test::expect_error(
        ErrorKind::malformed,
        "weights are incomplete (model/unet): expected trained values, found zeros at the end of conv.weight",
        [&] { taken("conv.weight", kernel).finish(); }, "download the file again");
    test::expect_error(ErrorKind::malformed, "zeros at the end of conv.weight",
                       [&] { taken("conv.weight", kernel.to(at::kHalf)).finish(); });
  }
}

TEST(Weights, BiasesAndEmbeddingsMayBeZero) {
  EXPECT_NO_THROW(taken("norm.bias", at::zeros({2000})).finish());
  EXPECT_NO_THROW(taken("embeddings.token_embedding.weight", at::zeros({40, 64})).finish());
  auto pruned = at::randn({64, 64});
  pruned[63].narrow(0, 32, 32).zero_();
  EXPECT_NO_THROW(taken("to_q.weight", pruned).finish());
}

}  // namespace
}  // namespace w2w::nn
