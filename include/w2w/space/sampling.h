#pragma once
#include <cstdint>

#include "w2w/space/identity.h"
#include "w2w/space/space.h"

namespace w2w {

/// A person who does not exist: z = torch.randn(k, generator=torch.Generator("cpu").manual_seed(seed)) in
/// f32, c = mean + spread * std * z with the statistics of the training models (docs/cli.md,
/// "Random numbers"). Error(usage) when k is below 1 or above the components the statistics cover.
Identity draw_identity(const Space& space, int64_t k, double spread, uint64_t seed);

}  // namespace w2w
