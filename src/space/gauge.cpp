#include "gauge.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/diag_embed.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_eigvals.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <vector>

namespace w2w {
namespace {

constexpr double converged = 1e-13;

at::Tensor unknowns(const at::Tensor& t) {
  return at::cat({t, t.reciprocal(), at::full({1}, -1.0, t.options())});
}

/// a t^2 + 2 g t + b / t^2 + 2 h / t: the sum of squares as a function of one scale.
struct OneScale {
  double a, g, b, h;
  double operator()(double t) const { return a * t * t + 2 * g * t + b / (t * t) + 2 * h / t; }
};

/// Its minimum among the real roots of a t^4 + g t^3 - h t - b = 0, found as eigenvalues of the companion
/// matrix for t = r u with r^4 = b / a; there is one of either sign at least. `t` stays where nothing
/// determines it.
double minimum(const OneScale& f, double t) {
  if (!(f.a > 0)) return t;
  if (!(f.b > 0)) return f.g != 0 ? -f.g / f.a : t;
  const double r = std::pow(f.b / f.a, 0.25);
  const double p = f.g / (f.a * r), q = f.h * r / f.b;
  const auto companion =
      at::tensor({-p, 0.0, q, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0}, at::kDouble);
  const auto roots = at::linalg_eigvals(companion.view({4, 4}));
  double best = t, least = f(t);
  for (int64_t i = 0; i < 4; ++i) {
    const auto root = roots[i].item<c10::complex<double>>();
    const double candidate = root.real() * r;
    if (std::abs(root.imag()) > 1e-6 * std::abs(root) || candidate == 0) continue;
    if (const double value = f(candidate); value < least) {
      best = candidate;
      least = value;
    }
  }
  return best;
}

/// One scale after the other, each to its exact minimum.
void sweep(const at::Tensor& q, at::Tensor& t) {
  const int64_t count = t.numel();
  const auto rows = q.accessor<double, 2>();
  auto y = unknowns(t);
  auto values = y.accessor<double, 1>();
  for (int64_t i = 0; i < count; ++i) {
    OneScale f{rows[i][i], 0, rows[count + i][count + i], 0};
    for (int64_t j = 0; j <= 2 * count; ++j) {
      if (j == i || j == count + i) continue;
      f.g += rows[i][j] * values[j];
      f.h += rows[count + i][j] * values[j];
    }
    values[i] = minimum(f, values[i]);
    values[count + i] = 1 / values[i];
  }
  t = y.narrow(0, 0, count).clone();
}

/// All scales together: Gauss and Newton's method with Levenberg and Marquardt's damping, over log |t|.
void refine(const at::Tensor& q, at::Tensor& t) {
  const int64_t count = t.numel();
  const auto error = [&](const at::Tensor& scales) {
    const auto y = unknowns(scales);
    return y.dot(q.mv(y)).item<double>();
  };
  double damping = 1e-6, least = error(t);
  for (int iteration = 0; iteration < 200 && damping < 1e12; ++iteration) {
    const auto inverse = t.reciprocal();
    // dy / d log|t|
    const auto jacobian =
        at::cat({at::diag_embed(t), -at::diag_embed(inverse), at::full({1, count}, 0.0, t.options())});
    const auto gradient = jacobian.t().mv(q.mv(unknowns(t)));
    const auto curvature = jacobian.t().mm(q).mm(jacobian);
    const auto scale = curvature.diagonal().clamp_min(1e-300);
    const auto step = at::linalg_solve(curvature + at::diag_embed(scale * damping), -gradient);
    const auto next = t * step.clamp(-2, 2).exp();
    const double value = error(next);
    if (!(value < least)) {
      if (step.abs().max().item<double>() < converged) return;
      damping *= 10;
      continue;
    }
    t = next;
    least = value;
    damping = std::max(damping / 10, 1e-15);
  }
}

}  // namespace

at::Tensor best_scales(const at::Tensor& q, const at::Tensor& local) {
  const int64_t count = (q.size(0) - 1) / 2;
  const auto entries = local.accessor<double, 2>();
  std::vector<double> start;
  for (int64_t i = 0; i < count; ++i) {
    const OneScale f{entries[i][i], -entries[i][2 * count], entries[count + i][count + i],
                     -entries[count + i][2 * count]};
    start.push_back(minimum(f, 1.0));
  }
  auto t = at::tensor(start, at::kDouble);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3; ++i) sweep(q, t);  // may change signs, which refine cannot
    refine(q, t);
  }
  return t;
}

}  // namespace w2w
