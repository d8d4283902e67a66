#include "space/directions/classifiers.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include "space/directions/least_squares.h"
#include "space/directions/logistic.h"
#include "space/directions/row_blocks.h"

namespace w2w {
namespace {

/// Attributes whose labels are known for the same models share the passes over the projections.
at::Tensor by_least_squares(const at::Tensor& projections, const at::Tensor& labels, double ridge,
                            const Run& run) {
  const int64_t attributes = labels.size(1);
  auto normals = at::empty({projections.size(1), attributes}, at::kDouble);
  std::vector<bool> done(static_cast<size_t>(attributes));
  for (int64_t a = 0; a < attributes; ++a) {
    if (done[static_cast<size_t>(a)]) continue;
    const auto known = labels.select(1, a).ne(0);
    std::vector<int64_t> group;
    for (int64_t b = a; b < attributes; ++b) {
      if (!labels.select(1, b).ne(0).equal(known)) continue;
      group.push_back(b);
      done[static_cast<size_t>(b)] = true;
    }
    const auto index = at::tensor(group, at::kLong);
    normals.index_copy_(1, index,
                        least_squares(projections, known, labels.index_select(1, index), ridge, run));
  }
  return normals;
}

at::Tensor mean_difference(const at::Tensor& projections, const at::Tensor& labels, const Run& run) {
  const auto with = labels.eq(1).to(at::kDouble), without = labels.eq(-1).to(at::kDouble);
  return transposed_product(projections, with / with.sum(0) - without / without.sum(0), run);
}

}  // namespace

at::Tensor classifier_normals(const at::Tensor& projections, const at::Tensor& labels,
                              const DirectionFit& fit, const Run& run) {
  const double penalty = fit.penalty.value_or(default_penalty(fit.method).value_or(0));
  switch (fit.method) {
    case DirectionMethod::mean_difference:
      return mean_difference(projections, labels, run);
    case DirectionMethod::logistic:
      return logistic_normals(projections, labels, penalty, run);
    case DirectionMethod::lstsq:
    case DirectionMethod::ridge:
      break;
  }
  return by_least_squares(projections, labels, penalty, run);
}

}  // namespace w2w
