#include "w2w/space/sampling.h"

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include "w2w/base/error.h"
#include "w2w/base/generator.h"

namespace w2w {

Identity draw_identity(const Space& space, int64_t k, double spread, uint64_t seed) {
  const auto& [mean, std] = space.projection_statistics();
  const auto most = std::min(mean.numel(), space.components());
  if (k < 1 || k > most) {
    throw Error(
        ErrorKind::usage,
        fmt::format(
            "expected 1 to {} components to draw, as many as the space ({}) has statistics for, found {}",
            most, space.origin(), k));
  }
  const auto z = Generator(seed).randn({k});
  Identity identity;
  identity.coefficients = mean.narrow(0, 0, k) + std.narrow(0, 0, k) * spread * z;
  set_space(identity, space);
  identity.model = space.data().base_model;
  identity.trigger = space.data().defaults.prompt;
  return identity;
}

}  // namespace w2w
