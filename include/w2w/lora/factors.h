#pragma once
// A low-rank change of a model's matrices: for each module m, W'_m = W_m + scale * up_m @ down_m.

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace w2w {

struct Factors {
  at::Tensor down;     ///< A, [rank, in]
  at::Tensor up;       ///< B, [out, rank]
  double scale = 1.0;  ///< alpha / rank

  int64_t rank() const { return down.size(0); }
};

/// Factors by module name (Target::module); the map's order is the flatten order.
using Lora = std::map<std::string, Factors>;

/// "a, b, c, ...": the first modules that it changes, for messages.
std::string first_modules(const Lora& lora);

}  // namespace w2w
