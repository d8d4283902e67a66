#include "space/column_products.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

namespace w2w {
namespace {

int64_t rows_of_block(const at::Tensor& matrix) {
  const int64_t bytes = (matrix.is_cpu() ? int64_t{8} : int64_t{256}) << 20;
  return std::max<int64_t>(1, bytes / (4 * matrix.size(1)));
}

/// x [n] as rows [3, n] of bf16 whose sum it is: three times 8 bits of its 24. Products with them are exact.
at::Tensor in_three_parts(const at::Tensor& x) {
  auto parts = at::empty({3, x.size(0)}, x.options().dtype(at::kBFloat16));
  auto rest = x;
  for (int64_t i = 0; i < 3; ++i) {
    parts[i].copy_(rest);
    if (i < 2) rest = rest - parts[i].to(at::kFloat);
  }
  return parts;
}

bool fits_tensor_cores(const at::Tensor& matrix) {
  return matrix.is_cuda() && matrix.scalar_type() == at::kBFloat16;
}

}  // namespace

at::Tensor product_by_columns(const at::Tensor& matrix, const at::Tensor& c) {
  if (fits_tensor_cores(matrix)) return at::mm(in_three_parts(c), matrix, at::kFloat).sum(0);
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
  if (fits_tensor_cores(matrix)) return at::mm(in_three_parts(x), matrix.t(), at::kFloat).sum(0);
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
