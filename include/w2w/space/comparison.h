#pragma once
// How like two people of a space are.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "w2w/space/space.h"

namespace w2w {

/// docs/method.md, "Interpolation and neighbours".
struct Comparison {
  std::optional<double> cosine = {};  ///< as in nearest_models; none where one of both is the mean person
  double distance = 0;     ///< in standard deviations of the training models, over all components together
  int64_t components = 0;  ///< that both have, and the space has statistics of

  /// The root mean square over the components: about 1.4 for two people drawn at random, with spread 1.
  double distance_per_component() const;
};

/// Compares many people with few words of setting up. `space` must stay.
class Comparer {
 public:
  /// Error(failure) for a space without statistics of its training models.
  explicit Comparer(const Space& space);

  /// Of coefficients f32 [k], computed in f64. Of two lengths the first components alone are compared.
  Comparison operator()(const at::Tensor& a, const at::Tensor& b) const;

 private:
  at::Tensor mean_, std_;  ///< f64 [k], contiguous
};

/// "this is the mean person: ..."; `name` says who.
[[noreturn]] void refuse_mean_person(const std::string& name = {});

/// Whether a deviation from the mean of this length is no more than rounding, for `std` of as many
/// components.
bool is_mean(double deviation, const at::Tensor& std);

}  // namespace w2w
