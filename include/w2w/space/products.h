#pragma once
#include "w2w/space/space.h"

namespace w2w {

/// The two products of inversion, with the space's first k components on a device. There they are bf16 for a
/// model of 16 bits, else of the dtype in the file; what they are multiplied with and the sums are f32. On a
/// CPU the space's own are used.
class SpaceProducts {
 public:
  /// `space` must stay as long as this object. Error(usage) for more components than it has.
  /// `dtype`: of the model.
  SpaceProducts(const Space& space, int64_t k, at::Device device, at::ScalarType dtype);

  /// Space::theta, on the device.
  at::Tensor theta(const at::Tensor& coefficients) const;
  /// V^T (g * std) for g, a gradient with respect to theta, on the device: the gradient with respect to the
  /// coefficients, f32 [k] on the device. Overwrites g.
  at::Tensor gradient(at::Tensor g) const;

 private:
  const Space& space_;
  int64_t k_;
  at::Tensor components_, mean_, std_;  ///< on an accelerator alone
};

}  // namespace w2w
