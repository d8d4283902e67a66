#pragma once
#include <vector>

#include "w2w/space/space.h"

namespace w2w {

struct Neighbour {
  int64_t row;    ///< of the space's projections
  double cosine;  ///< 1: the same direction from the mean person, 0: nothing in common, -1: the opposite
};

/// The `count` training models most like a person with these coefficients [k], best first, by the cosine
/// between both deviations from the mean training model, over the components that both have. Not whitened: a
/// component counts by how much the training models differ along it, which on the demo world finds people
/// with more alike faces. Streams through the projections once. Error(failure) for a space without
/// projections or a person who is the mean; Error(usage) unless 1 <= count <= training models.
std::vector<Neighbour> nearest_models(const Space& space, const at::Tensor& coefficients, int64_t count);

}  // namespace w2w
