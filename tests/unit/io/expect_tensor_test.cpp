#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/expect_error.h"
#include "w2w/io/tensor_file.h"

namespace w2w {
namespace {

TEST(ExpectTensor, NamesWhatWasExpectedAndFound) {
  const TensorMap tensors = {
      {"a", at::zeros({3, 2})}, {"bytes", at::zeros({3}, at::kByte)}, {"nan", at::full({1}, NAN)}};
  const auto take = [&](const char* name, at::ScalarType dtype, at::IntArrayRef shape) {
    return expect_tensor(tensors, name, dtype, shape, "damaged state (s)", "delete it");
  };
  EXPECT_TRUE(take("a", at::kFloat, {3, 2}).equal(tensors.at("a")));
  EXPECT_TRUE(take("a", at::kFloat, {-1, 2}).equal(tensors.at("a")));
  EXPECT_NO_THROW(take("bytes", at::kByte, {-1}));
  struct Row {
    const char* name;
    at::ScalarType dtype;
    std::vector<int64_t> shape;
    const char* says;
  };
  const Row table[] = {
      {"b", at::kFloat, {3}, "damaged state (s): expected 'b' as f32 [3], found none"},
      {"a", at::kFloat, {3, 3}, "expected 'a' as f32 [3, 3], found f32 [3, 2]"},
      {"a", at::kFloat, {-1}, "expected 'a' as f32 [any], found f32 [3, 2]"},
      {"a", at::kDouble, {3, 2}, "expected 'a' as f64 [3, 2], found f32 [3, 2]"},
      {"nan", at::kFloat, {1}, "expected 'nan' as f32 [1], found values that are not finite"},
  };
  for (const auto& row : table) {
    test::expect_error(ErrorKind::malformed, row.says, [&] { take(row.name, row.dtype, row.shape); });
  }
}

}  // namespace
}  // namespace w2w
