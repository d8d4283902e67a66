#include "w2w/space/layout.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "w2w/base/error.h"

namespace w2w {

Layout::Layout(Targets targets, int64_t rank, double alpha)
    : targets_(std::move(targets)), rank_(rank), alpha_(alpha) {
  const auto sensible = [](int64_t size) {
    return size >= 1 && size <= int64_t{1} << 24;
  };  // no overflow below
  if (targets_.empty() || !sensible(rank_)) {
    throw Error(ErrorKind::malformed,
                fmt::format("a space needs modules and a rank of at least 1, found {} and {}",
                            targets_.size(), rank_));
  }
  for (size_t i = 0; i < targets_.size(); ++i) {
    if (i > 0 && targets_[i - 1].module >= targets_[i].module) {
      throw Error(ErrorKind::malformed,
                  fmt::format("modules must be in alphabetical order, found {} after {}", targets_[i].module,
                              targets_[i - 1].module));
    }
    if (!sensible(targets_[i].in) || !sensible(targets_[i].out)) {
      throw Error(ErrorKind::malformed, fmt::format("module {} cannot have the shape [{}, {}]",
                                                    targets_[i].module, targets_[i].out, targets_[i].in));
    }
    parameters_ += rank_ * (targets_[i].in + targets_[i].out);
  }
}

Lora Layout::factors(const at::Tensor& theta) const {
  if (theta.dim() < 1 || theta.dim() > 2 || theta.size(-1) != parameters_) {
    throw Error(ErrorKind::failure, fmt::format("expected a weight vector of {} values, found [{}]",
                                                parameters_, fmt::join(theta.sizes(), ", ")));
  }
  Lora lora;
  int64_t offset = 0;
  const auto next = [&](int64_t rows, int64_t columns) {
    const auto part = theta.narrow(-1, offset, rows * columns).unflatten(-1, {rows, columns});
    offset += rows * columns;
    return part;
  };
  for (const auto& target : targets_) {
    auto& factors = lora[target.module];
    factors.down = next(rank_, target.in);
    factors.up = next(target.out, rank_);
    factors.scale = scale();
  }
  return lora;
}

at::Tensor Layout::flatten(const Lora& lora) const {
  auto theta = at::empty({parameters_}, at::kFloat);
  for (auto& [module, view] : factors(theta)) {
    const auto given = lora.find(module);
    if (given == lora.end()) {
      throw Error(ErrorKind::failure,
                  fmt::format("the LoRA does not change {}, which is part of the space", module));
    }
    const auto& [down, up, given_scale] = given->second;
    if (down.sizes() != view.down.sizes() || up.sizes() != view.up.sizes()) {
      throw Error(ErrorKind::failure,
                  fmt::format("{}: expected factors [{}] and [{}], found [{}] and [{}]", module,
                              fmt::join(view.down.sizes(), ", "), fmt::join(view.up.sizes(), ", "),
                              fmt::join(down.sizes(), ", "), fmt::join(up.sizes(), ", ")));
    }
    view.down.copy_(down);
    view.up.copy_(up);
    if (given_scale != scale()) view.up.mul_(given_scale / scale());
  }
  for (const auto& [module, factors] : lora) {
    const auto same = [&](const Target& target) { return target.module == module; };
    if (std::none_of(targets_.begin(), targets_.end(), same)) {
      throw Error(ErrorKind::failure,
                  fmt::format("the LoRA changes {}, which is not part of the space", module));
    }
  }
  return theta;
}

}  // namespace w2w
