#include "space/least_squares.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <functional>

namespace w2w {
namespace {

constexpr int64_t block_rows = 4096;

/// Calls `use(block of A in f64, first row)` for all rows; those not `known` are zero.
void for_blocks(const at::Tensor& a, const at::Tensor& known,
                const std::function<void(const at::Tensor&, int64_t)>& use) {
  for (int64_t row = 0; row < a.size(0); row += block_rows) {
    const int64_t count = std::min(block_rows, a.size(0) - row);
    auto block = a.narrow(0, row, count).to(at::kDouble);
    if (known.defined()) block = block * known.narrow(0, row, count).unsqueeze(1);
    use(block, row);
  }
}

at::Tensor by_eigenvectors(const at::Tensor& a, const at::Tensor& known, const at::Tensor& right) {
  auto gram = at::zeros({a.size(1), a.size(1)}, at::kDouble);
  for_blocks(a, known, [&](const at::Tensor& block, int64_t) { gram += at::mm(block.t(), block); });
  const auto [values, vectors] = at::linalg_eigh(gram);
  constexpr double precision = 2.3e-16;
  const double negligible = values.abs().amax().item<double>() * precision * static_cast<double>(a.size(1));
  const auto inverse = at::where(values > negligible, 1 / values, 0.0);
  return at::mm(vectors, inverse.unsqueeze(1) * at::mm(vectors.t(), right));
}

}  // namespace

at::Tensor least_squares(const at::Tensor& a, const at::Tensor& known, const at::Tensor& b) {
  auto squares = at::zeros({a.size(1)}, at::kDouble);
  auto right = at::zeros({a.size(1), b.size(1)}, at::kDouble);
  for_blocks(a, known, [&](const at::Tensor& block, int64_t row) {
    squares += block.square().sum(0);
    right += at::mm(block.t(), b.narrow(0, row, block.size(0)));
  });
  const auto lengths = at::where(squares > 0, squares, 1.0).sqrt().unsqueeze(1);
  const auto short_way = right / lengths.square();
  auto residual = -right;
  for_blocks(a, known, [&](const at::Tensor& block, int64_t) {
    residual += at::mm(block.t(), at::mm(block, short_way));
  });
  const auto error = (residual / lengths).norm(2, 0), scale = (right / lengths).norm(2, 0);
  if ((error <= 1e-6 * scale).all().item<bool>()) return short_way;
  return by_eigenvectors(a, known, right);
}

at::Tensor product(const at::Tensor& a, const at::Tensor& x) {
  std::vector<at::Tensor> parts;
  for_blocks(a, {}, [&](const at::Tensor& block, int64_t) { parts.push_back(at::mm(block, x)); });
  return at::cat(parts);
}

}  // namespace w2w
