#include "space/directions/least_squares.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <functional>

#include "space/directions/row_blocks.h"

namespace w2w {
namespace {

using BlockUse = std::function<void(const at::Tensor&, int64_t)>;

/// for_row_blocks with those rows zero that are not `known`.
void for_known_blocks(const at::Tensor& a, const at::Tensor& known, const Run& run, const BlockUse& use) {
  for_row_blocks(a, run, [&](const at::Tensor& block, int64_t row) {
    use(block * known.narrow(0, row, block.size(0)).unsqueeze(1), row);
  });
}

at::Tensor by_eigenvectors(const at::Tensor& a, const at::Tensor& known, const at::Tensor& right,
                           double penalty, const Run& run) {
  auto gram = at::zeros({a.size(1), a.size(1)}, at::kDouble);
  for_known_blocks(a, known, run, [&](const at::Tensor& block, int64_t) { gram.addmm_(block.t(), block); });
  const auto [values, vectors] = at::linalg_eigh(gram);
  constexpr double precision = 2.3e-16;
  const double negligible = values.abs().amax().item<double>() * precision * static_cast<double>(a.size(1));
  const auto inverse = at::where(values > negligible, 1 / (values + penalty), 0.0);
  return at::mm(vectors, inverse.unsqueeze(1) * at::mm(vectors.t(), right));
}

}  // namespace

at::Tensor least_squares(const at::Tensor& a, const at::Tensor& known, const at::Tensor& b, double ridge,
                         const Run& run) {
  auto squares = at::zeros({a.size(1)}, at::kDouble);
  auto right = at::zeros({a.size(1), b.size(1)}, at::kDouble);
  for_known_blocks(a, known, run, [&](const at::Tensor& block, int64_t row) {
    squares += block.square().sum(0);
    right.addmm_(block.t(), b.narrow(0, row, block.size(0)));
  });
  const double penalty = ridge * squares.mean().item<double>();
  const auto diagonal = at::where(squares > 0, squares, 1.0).unsqueeze(1);
  const auto lengths = diagonal.sqrt();
  const auto short_way = right / (diagonal + penalty);
  auto residual = penalty * short_way - right;
  for_known_blocks(a, known, run, [&](const at::Tensor& block, int64_t) {
    residual.addmm_(block.t(), at::mm(block, short_way));
  });
  const auto error = (residual / lengths).norm(2, 0), scale = (right / lengths).norm(2, 0);
  if ((error <= 1e-6 * scale).all().item<bool>()) return short_way;
  return by_eigenvectors(a, known, right, penalty, run);
}

}  // namespace w2w
