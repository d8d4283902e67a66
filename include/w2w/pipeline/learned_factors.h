#pragma once
#include <vector>

#include "w2w/sd/unet.h"
#include "w2w/space/layout.h"

namespace w2w {

/// The factors of one person, or of several who share a batch, as leaves of the gradient. They are in the
/// branches of a UNet while this object lives.
class LearnedFactors {
 public:
  /// `theta`: f32 [P], or [people, P] for batches of equally many pictures of each person, in order. Computed
  /// with in `dtype`.
  LearnedFactors(const UNet& unet, const Layout& layout, const Tensor& theta, at::ScalarType dtype);
  ~LearnedFactors();
  LearnedFactors(const LearnedFactors&) = delete;
  LearnedFactors& operator=(const LearnedFactors&) = delete;

  /// d loss / d theta, f32 of theta's shape.
  Tensor gradient(const Tensor& loss) const;

 private:
  const UNet& unet_;
  const Layout& layout_;
  std::vector<Tensor> leaves_;
};

}  // namespace w2w
