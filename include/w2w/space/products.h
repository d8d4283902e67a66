#pragma once
#include "w2w/space/space.h"

namespace w2w {

/// The two products of inversion, with the space's first k components on a device: there in the dtype they
/// have in the file, computed in f32. On a CPU the space's own are used.
class SpaceProducts {
 public:
  /// `space` must stay as long as this object. Error(usage) for more components than it has.
  SpaceProducts(const Space& space, int64_t k, at::Device device);

  /// Space::theta, on the device.
  at::Tensor theta(const at::Tensor& coefficients) const;
  /// V^T (g * std) for g, a gradient with respect to theta, on the device: the gradient with respect to the
  /// coefficients, f32 [k] on the device. Overwrites g.
  at::Tensor gradient(at::Tensor g) const;

 private:
  const Space& space_;
  int64_t k_;
  at::Tensor components_, mean_, std_;  ///< on a device other than the CPU
};

}  // namespace w2w
