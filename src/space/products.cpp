#include "w2w/space/products.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addcmul.h>

#include "space/column_products.h"
#include "w2w/device/accelerator.h"

namespace w2w {

SpaceProducts::SpaceProducts(const Space& space, int64_t k, at::Device device, at::ScalarType dtype)
    : space_(space), k_(k) {
  const auto components = space.components(k);
  if (!accelerator_of(device)) return;
  components_ = components.to(device).contiguous();
  if (dtype != at::kFloat) components_ = components_.to(at::kBFloat16);
  mean_ = space.data().mean.to(device);
  std_ = space.data().std.to(device);
}

at::Tensor SpaceProducts::theta(const at::Tensor& coefficients) const {
  if (!components_.defined()) return space_.theta(coefficients);
  return at::addcmul(mean_, product_by_columns(components_, coefficients), std_);
}

at::Tensor SpaceProducts::gradient(at::Tensor g) const {
  if (!components_.defined()) return space_.scores(g.mul_(space_.data().std), k_);
  return transposed_product_by_columns(components_, g.mul_(std_));
}

}  // namespace w2w
