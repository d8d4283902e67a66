#include "w2w/space/neighbours.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/mv.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "w2w/base/error.h"
#include "w2w/space/comparison.h"

namespace w2w {

std::vector<Neighbour> nearest_models(const Space& space, const at::Tensor& coefficients, int64_t count) {
  const auto& projections = space.data().projections;
  if (!projections.defined()) {
    throw Error(
        ErrorKind::failure,
        fmt::format("space ({}) has no projections of its training models to compare with", space.origin()),
        "add proj_1000pc.pt to the released folder");
  }
  const int64_t models = projections.size(0);
  if (count < 1 || count > models) {
    throw Error(
        ErrorKind::usage,
        fmt::format("expected 1 to {} neighbours, as many as the space ({}) has training models, found {}",
                    models, space.origin(), count));
  }
  const auto shared = std::min(coefficients.numel(), projections.size(1));
  const auto& statistics = space.projection_statistics();
  const auto first_of = [&](const at::Tensor& values) { return values.to(at::kDouble).narrow(0, 0, shared); };
  const auto mean = first_of(statistics.mean);
  const auto person = first_of(coefficients.view(-1)) - mean;  // f64: squares of f32 overflow
  const double size = person.norm().item<double>();
  if (is_mean(size, first_of(statistics.std))) refuse_mean_person();
  auto cosines = at::empty({models}, at::kFloat);
  constexpr int64_t block = 4096;
  for (int64_t first = 0; first < models; first += block) {
    const auto rows = projections.narrow(0, first, std::min(block, models - first)).narrow(1, 0, shared);
    const auto deviations = rows.to(at::kDouble) - mean;
    cosines.narrow(0, first, rows.size(0))
        .copy_(deviations.mv(person) / (deviations.norm(2, 1) * size).clamp_min(1e-300));
  }
  if (!at::isfinite(cosines).all().item<bool>()) {
    throw Error(ErrorKind::malformed,
                fmt::format("space ({}): projections that are not finite, so cosine similarity is undefined",
                            space.origin()),
                "<verify> shows details");
  }
  std::vector<int64_t> order(models);
  std::iota(order.begin(), order.end(), 0);
  const auto* value = cosines.const_data_ptr<float>();
  const auto better = [&](int64_t a, int64_t b) {
    return value[a] > value[b] || (value[a] == value[b] && a < b);
  };
  std::partial_sort(order.begin(), order.begin() + count, order.end(), better);
  std::vector<Neighbour> neighbours;
  for (int64_t i = 0; i < count; ++i) neighbours.push_back({order[i], value[order[i]]});
  return neighbours;
}

}  // namespace w2w
