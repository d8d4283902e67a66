#include "w2w/space/projection.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gauge.h"
#include "w2w/base/error.h"
#include "w2w/base/run.h"
#include "w2w/lora/algebra.h"

namespace w2w {
namespace {

/// The components, read from end to end some 32 MB at a time.
class Passes {
 public:
  Passes(const at::Tensor& components, const Run& run) : components_(components), run_(run) {}

  /// V^T u for u [P, n].
  at::Tensor scores(const at::Tensor& u) const {
    return sum(u.size(1), [&](at::Tensor& total, int64_t first, const at::Tensor& block) {
      total.addmm_(block, u.narrow(0, first, block.size(1)));
    });
  }

  /// V^T V x for x [k, n].
  at::Tensor gram_product(const at::Tensor& x) const {
    return sum(x.size(1), [&](at::Tensor& total, int64_t, const at::Tensor& block) {
      total.addmm_(block, block.t().mm(x));
    });
  }

 private:
  /// Calls add(total [k, columns], first parameter, V^T of a block [k, n] in f64) for all blocks.
  template <typename Add>
  at::Tensor sum(int64_t columns, Add add) const {
    auto total = at::zeros({components_.size(0), columns}, at::kDouble);
    const int64_t parameters = components_.size(1);
    const int64_t length = std::max<int64_t>(16, (int64_t{4} << 20) / components_.size(0));
    const int64_t blocks = (parameters + length - 1) / length;
    for (int64_t block = 0; block < blocks; ++block) {
      run_.check_stop();
      const int64_t first = block * length;
      add(total, first, components_.narrow(1, first, std::min(length, parameters - first)).to(at::kDouble));
      if (blocks > 8) run_.report({"reading the components", block + 1, blocks, {}});
    }
    return total;
  }

  const at::Tensor& components_;
  const Run& run_;
};

/// x with V^T V x = w for each column: conjugate gradients. Components are orthonormal as computed, and
/// nearly so when stored in f32 or 16 bits, so that one to three rounds do.
at::Tensor solve_gram(const Passes& passes, const at::Tensor& w) {
  auto x = w.clone();
  auto rest = w - passes.gram_product(x);
  auto direction = rest.clone();
  auto size = rest.square().sum(0);
  const auto enough = w.square().sum(0) * 1e-14 + 1e-300;
  for (int64_t round = 0; round < 2 * w.size(0) + 10 && (size > enough).any().item<bool>(); ++round) {
    const auto image = passes.gram_product(direction);
    const auto step = size / (direction * image).sum(0).clamp_min(1e-300);
    x += direction * step;
    rest -= image * step;
    const auto next = rest.square().sum(0);
    direction = rest + direction * (next / size.clamp_min(1e-300));
    size = next;
  }
  return x;
}

/// [P, 2 M + 1]: column m holds A_m / std, column M + m B_m / std, both at their place and zero elsewhere;
/// the last is mean / std. With y = (t, 1 / t, -1) the standardised vector is x(t) = columns y.
at::Tensor standardised_columns(const Space& space, const Lora& lora) {
  const auto& targets = space.layout().targets();
  const auto count = static_cast<int64_t>(targets.size());
  const auto std = space.data().std.to(at::kDouble);
  const auto weight = at::where(std > std.mean() * 1e-6, std.reciprocal(), at::zeros({}, at::kDouble));
  auto columns = at::zeros({space.parameters(), 2 * count + 1}, at::kDouble);
  int64_t offset = 0;
  const auto put = [&](int64_t column, const at::Tensor& factor, double scale) {
    const auto values = factor.to(at::kDouble).flatten() * scale;
    columns.select(1, column)
        .narrow(0, offset, values.numel())
        .copy_(values * weight.narrow(0, offset, values.numel()));
    offset += values.numel();
  };
  for (int64_t m = 0; m < count; ++m) {
    const auto& factors = lora.at(targets[m].module);
    put(m, factors.down, 1.0);
    put(count + m, factors.up, factors.scale / space.layout().scale());
  }
  columns.select(1, 2 * count).copy_(space.data().mean.to(at::kDouble) * weight);
  return columns;
}

void check_geometry(const Space& space, const Lora& lora) {
  const auto& layout = space.layout();
  if (layout.rank() != 1) {
    throw Error(ErrorKind::failure,
                fmt::format("space ({}) has rank {}: only spaces of rank 1 can be projected into",
                            space.origin(), layout.rank()));
  }
  Lora ones;
  for (const auto& [module, factors] : lora) {
    ones[module] = {factors.down.narrow(0, 0, 1), factors.up.narrow(1, 0, 1), factors.scale};
  }
  layout.flatten(ones);  // refuses what does not fit, naming it
}

/// y^T q y
double square(const at::Tensor& q, const at::Tensor& y) {
  return std::max(0.0, y.dot(q.mv(y)).item<double>());
}

/// y = (t, 1 / t, -1) for the best scales t, or for 1 where these explain no more than chance: the ratio of
/// what each of them takes away to what each of the `freedom` others leaves (the F statistic) is about 1 for
/// scales that mean nothing.
at::Tensor scales_needed(const at::Tensor& outside, const at::Tensor& all, int64_t freedom) {
  constexpr double chance = 4;
  const auto unknowns = [](const at::Tensor& t) {
    return at::cat({t, t.reciprocal(), at::full({1}, -1.0, at::kDouble)});
  };
  const auto t = best_scales(outside, all);
  const auto best = unknowns(t), own = unknowns(at::ones_like(t));
  const double least = square(outside, best), gain = square(outside, own) - least;
  const auto scales = static_cast<double>(t.numel());
  const double share = scales / std::max(1.0, static_cast<double>(freedom) - scales);
  const bool by_chance = gain <= chance * share * least && (t > 0).all().item<bool>();
  return by_chance ? own : best;
}

/// || a - b || / || a || (Frobenius) over all changes.
double relative_difference(const Lora& a, const Lora& b) {
  double difference = 0, size = 0;
  for (const auto& [module, factors] : a) {
    const double own = inner_product(factors, factors);
    const auto& other = b.at(module);
    size += own;
    difference += own - 2 * inner_product(factors, other) + inner_product(other, other);
  }
  return size > 0 ? std::sqrt(std::max(0.0, difference) / size) : 0;
}

}  // namespace

Projection project(const Space& space, const Lora& lora, int64_t count, const Run& run) {
  check_geometry(space, lora);
  const auto components = space.components(count);
  Lora rank_one;
  for (const auto& [module, factors] : lora) rank_one[module] = best_rank_one(factors);

  const auto columns = standardised_columns(space, rank_one);
  const Passes passes(components, run);
  const auto w = passes.scores(columns);
  const auto x = solve_gram(passes, w);
  const auto all = columns.t().mm(columns);  // || x ||^2 = y^T all y
  const auto outside = all - w.t().mm(x);    // || x - V c ||^2 = y^T outside y, c = (V^T V)^-1 V^T x
  const auto y = scales_needed(outside, all, space.parameters() - count);

  Projection result;
  result.coefficients = x.mv(y).to(at::kFloat);
  const double size = square(all, y);
  result.outside = size > 0 ? std::sqrt(square(outside, y) / size) : 0;
  result.change_outside = relative_difference(lora, space.lora(result.coefficients));
  result.rank_outside = relative_difference(lora, rank_one);
  return result;
}

}  // namespace w2w
