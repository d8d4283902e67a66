#include "w2w/space/products.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

namespace w2w {
namespace {

using at::Tensor;

/// Calls `visit(first, block)` for rows of `matrix` as f32, at most 256 MB of them at a time.
template <typename Visit>
void for_blocks(const Tensor& matrix, Visit visit) {
  const int64_t length = std::max<int64_t>(1, (int64_t{64} << 20) / matrix.size(1));
  for (int64_t row = 0; row < matrix.size(0); row += length) {
    visit(row, matrix.narrow(0, row, std::min(length, matrix.size(0) - row)).to(at::kFloat));
  }
}

}  // namespace

SpaceProducts::SpaceProducts(const Space& space, int64_t k, at::Device device) : space_(space), k_(k) {
  const auto components = space.components(k);
  if (device.is_cpu()) return;
  components_ = components.to(device).contiguous();
  mean_ = space.data().mean.to(device);
  std_ = space.data().std.to(device);
}

Tensor SpaceProducts::theta(const Tensor& coefficients) const {
  if (!components_.defined()) return space_.theta(coefficients);
  auto centred = at::zeros_like(mean_);
  for_blocks(components_, [&](int64_t first, const Tensor& rows) {
    centred.addmv_(rows.t(), coefficients.narrow(0, first, rows.size(0)));
  });
  return at::addcmul(mean_, centred, std_);
}

Tensor SpaceProducts::gradient(Tensor g) const {
  if (!components_.defined()) return space_.scores(g.mul_(space_.data().std), k_);
  g.mul_(std_);
  auto result = at::empty({k_}, g.options());
  for_blocks(components_, [&](int64_t first, const Tensor& rows) {
    result.narrow(0, first, rows.size(0)).copy_(at::mv(rows, g));
  });
  return result;
}

}  // namespace w2w
