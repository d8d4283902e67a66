#include "w2w/space/verify.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "w2w/base/error.h"
#include "w2w/space/direction.h"
#include "w2w/space/labels.h"
#include "w2w/space/space.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

/// What rounding of components to their dtype may do to products of two of them, and to coefficients that go
/// through the weights and back.
struct Bounds {
  double orthonormal, round_trip;
};

Bounds bounds_of(c10::ScalarType dtype) {
  if (dtype == c10::kHalf) return {1e-3, 1e-2};
  if (dtype == c10::kBFloat16) return {8e-3, 4e-2};
  return {1e-5, 1e-4};
}

double largest(const at::Tensor& values) { return values.abs().max().item<double>(); }

class Verifier {
 public:
  Verifier(const Space& space, const Run& run)
      : space_(space), data_(space.data()), run_(run), bounds_(bounds_of(data_.components.scalar_type())) {}

  std::vector<SpaceCheck> run() {
    components();
    if (data_.projections.defined()) {
      names();
      statistics();
      if (data_.explained_variance.defined()) explained_variance();
      round_trip();
    }
    file("labels", Labels::of_space(space_), [&](const fs::path& path) {
      return fmt::format("{} attributes of every training model",
                         Labels::read(path, space_, run_).attributes().size());
    });
    const auto directions = fs::path(space_.origin()) / "directions.safetensors";
    file("directions", fs::exists(directions) ? std::optional(directions) : std::nullopt,
         [&](const fs::path& path) {
           const auto read = read_directions(path, space_);
           return fmt::format("{} attributes over {} components", read.attributes.size(), read.components());
         });
    return std::move(checks_);
  }

 private:
  void add(const std::string& name, bool ok, std::string found) {
    checks_.push_back({name, ok, std::move(found)});
  }

  void add_bounded(const std::string& name, const std::string& what, double value, double bound) {
    add(name, value <= bound, fmt::format("{} {:.1e}, at most {:.0e}", what, value, bound));
  }

  /// Finite values and max |V V^T - I|, in one reading of the components.
  void components() {
    const int64_t k = space_.components(), parameters = space_.parameters();
    const int64_t length = std::max<int64_t>(256, (int64_t{16} << 20) / k);
    const int64_t blocks = (parameters + length - 1) / length;
    auto gram = at::zeros({k, k}, at::kDouble);
    int64_t bad = 0;
    for (int64_t block = 0; block < blocks; ++block) {
      run_.check_stop();
      const int64_t first = block * length;
      const auto v = data_.components.narrow(1, first, std::min(length, parameters - first)).to(at::kDouble);
      bad += v.numel() - at::isfinite(v).sum().item<int64_t>();
      gram.addmm_(v, v.t());
      if (blocks > 8) run_.report({"verifying", block + 1, blocks, {}});
    }
    for (const auto& values : {data_.mean, data_.std, data_.projections}) {
      if (values.defined()) bad += values.numel() - at::isfinite(values).sum().item<int64_t>();
    }
    const auto not_positive = data_.std.le(0).sum().item<int64_t>();
    add("values", bad == 0 && not_positive == 0,
        bad + not_positive == 0
            ? "all are finite, all deviations positive"
            : fmt::format("{} are not finite, {} deviations are not positive", bad, not_positive));
    const double error = largest(gram - at::eye(k, at::kDouble));
    add("orthonormal", error <= bounds_.orthonormal,
        fmt::format("max |V V^T - I| of the {} components is {:.1e}, at most {:.0e}", k, error,
                    bounds_.orthonormal));
  }

  void names() {
    if (data_.names.empty()) return;
    std::unordered_set<std::string> seen;
    for (const auto& name : data_.names) {
      if (!seen.insert(name).second) return add("names", false, fmt::format("'{}' appears twice", name));
    }
    add("names", data_.models == static_cast<int64_t>(seen.size()),
        fmt::format("{} training models, {} names", data_.models, seen.size()));
  }

  void statistics() {
    const auto p = data_.projections.to(at::kDouble);
    mean_ = p.mean(0);
    std_ = ((p - mean_).square().sum(0) / static_cast<double>(p.size(0) - 1)).sqrt();
    const auto& said = space_.projection_statistics();
    const int64_t k = std::min(said.mean.numel(), std_.numel());
    const auto scale = std_.narrow(0, 0, k);
    const double error = std::max(largest((said.mean.narrow(0, 0, k) - mean_.narrow(0, 0, k)) / scale),
                                  largest((said.std.narrow(0, 0, k) - scale) / scale));
    add_bounded("statistics", "mean and deviation of the projections differ by", error, 1e-4);
  }

  /// Of spaces that do not know their total variance, explained_variance may also be shares of it.
  void explained_variance() {
    const int64_t k = std::min(std_.numel(), data_.explained_variance.numel());
    const auto variance = std_.narrow(0, 0, k).square();
    auto ratio = data_.explained_variance.narrow(0, 0, k).to(at::kDouble) / variance;
    if (data_.total_variance == 0) ratio = ratio / ratio[0];
    add_bounded("explained variance", "differs from the projections' by", largest(ratio - 1), 1e-3);
  }

  /// Coefficients of some training models, to weights and back.
  void round_trip() {
    const int64_t models = data_.projections.size(0), k = data_.projections.size(1);
    if (k > space_.components()) return;
    const auto weight =
        at::where(moving_parameters(data_.std), data_.std.reciprocal(), at::zeros({}, at::kFloat));
    const int64_t tried = std::min<int64_t>(8, models);
    double worst = 0;
    for (int64_t i = 0; i < tried; ++i) {
      run_.check_stop();
      const auto c = data_.projections[i * models / tried].to(at::kFloat);
      const auto back = space_.scores((space_.theta(c) - data_.mean) * weight, k);
      worst = std::max(worst, ((back - c).norm() / c.norm()).item<double>());
    }
    add("round trip", worst <= bounds_.round_trip,
        fmt::format("coefficients of {} training models are reproduced within {:.1e}, at most {:.0e}", tried,
                    worst, bounds_.round_trip));
  }

  template <typename Read>
  void file(const std::string& name, const std::optional<fs::path>& path, Read read) {
    if (!path) return;
    try {
      add(name, true, read(*path));
    } catch (const Error& error) {
      add(name, false, error.what());
    }
  }

  const Space& space_;
  const SpaceData& data_;
  const Run& run_;
  Bounds bounds_;
  at::Tensor mean_, std_;
  std::vector<SpaceCheck> checks_;
};

}  // namespace

at::Tensor moving_parameters(const at::Tensor& std) { return std > std.mean() * 1e-6; }

std::vector<SpaceCheck> verify_space(const fs::path& folder, const Run& run) {
  std::optional<Space> space;
  try {
    space.emplace(Space::open(folder, nullptr, run));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found && !is_space_folder(folder)) throw;
    return {{"files", false, error.what(), error.kind()}};
  }
  std::vector<SpaceCheck> checks = {
      {"files", true,
       fmt::format("{} components of {} parameters, hash {}", space->components(), space->parameters(),
                   space->hash().substr(0, 16))}};
  for (auto& check : Verifier(*space, run).run()) checks.push_back(std::move(check));
  return checks;
}

}  // namespace w2w
