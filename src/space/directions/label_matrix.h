#pragma once
#include "w2w/space/directions/direction_fit.h"

namespace w2w {

/// The labels of `names`, f64 [n, names]: +1, -1, or 0 where unknown. Error(usage) for a fit that does not
/// suit the space or itself, before a label is looked at; Error(malformed) naming a model whose projections
/// are not finite; the errors of Labels::column.
at::Tensor label_matrix(const Space& space, const Labels& labels, const DirectionFit& fit,
                        const std::vector<std::string>& names, const Run& run);

}  // namespace w2w
