#include "space/column_products.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

namespace w2w {
namespace {

int64_t rows_of_block(const at::Tensor& matrix) {
  const int64_t bytes = (matrix.is_cpu() ? int64_t{8} : int64_t{256}) << 20;
  return std::max<int64_t>(1, bytes / (4 * matrix.size(1)));
}

}  // namespace

at::Tensor product_by_columns(const at::Tensor& matrix, const at::Tensor& c) {
  if (matrix.scalar_type() == at::kFloat) return at::mv(matrix.t(), c);
  auto result = at::zeros({matrix.size(1)}, c.options());
  const int64_t block = rows_of_block(matrix);
  for (int64_t row = 0; row < matrix.size(0); row += block) {
    const int64_t count = std::min(block, matrix.size(0) - row);
    result.addmv_(matrix.narrow(0, row, count).to(at::kFloat).t(), c.narrow(0, row, count));
  }
  return result;
}

at::Tensor transposed_product_by_columns(const at::Tensor& matrix, const at::Tensor& x) {
  if (matrix.scalar_type() == at::kFloat) return at::mv(matrix, x);
  auto result = at::empty({matrix.size(0)}, x.options());
  const int64_t block = rows_of_block(matrix);
  for (int64_t row = 0; row < matrix.size(0); row += block) {
    const int64_t count = std::min(block, matrix.size(0) - row);
    auto part = result.narrow(0, row, count);
    at::mv_out(part, matrix.narrow(0, row, count).to(at::kFloat), x);
  }
  return result;
}

}  // namespace w2w
