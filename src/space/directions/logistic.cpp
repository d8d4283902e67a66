#include "space/directions/logistic.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include "space/directions/row_blocks.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

at::Tensor column_dots(const at::Tensor& a, const at::Tensor& b) { return (a * b).sum(0); }

/// The convex functions of all attributes, of weights [k + 1, m]: w, then the intercept b as the last row.
class Losses {
 public:
  Losses(const at::Tensor& projections, const at::Tensor& labels, double penalty, const Run& run)
      : run_(&run), projections_(projections), labels_(labels), known_(labels.ne(0)), counts_(known_.sum(0)) {
    auto ridge = at::zeros({projections.size(1) + 1, 1}, at::kDouble);
    ridge.narrow(0, 0, projections.size(1)).fill_(penalty);
    penalty_ = ridge;
    standardise();
  }

  /// w = 0 and b = the log odds, the best of all constant answers.
  at::Tensor start() const {
    auto weights = at::zeros({projections_.size(1) + 1, labels_.size(1)}, at::kDouble);
    const auto with = labels_.eq(1).sum(0).to(at::kDouble);
    weights[-1].copy_((with / (counts_ - with)).log());
    return weights;
  }

  struct Point {
    at::Tensor weights, loss, gradient;  ///< [k + 1, m], [m], [k + 1, m]
    at::Tensor curvature;                ///< second derivatives by the logits, [n, m]

    Point of(const at::Tensor& attributes) const {
      return {weights.index_select(1, attributes), loss.index_select(0, attributes),
              gradient.index_select(1, attributes), curvature.index_select(1, attributes)};
    }
  };

  /// Those of some attributes.
  Losses of(const at::Tensor& attributes) const {
    auto some = *this;
    some.labels_ = labels_.index_select(1, attributes);
    some.known_ = known_.index_select(1, attributes);
    some.counts_ = counts_.index_select(0, attributes);
    return some;
  }

  Point at(const at::Tensor& weights) const {
    Point point{weights, at::zeros({labels_.size(1)}, at::kDouble), {}, at::empty_like(labels_)};
    auto sums = at::zeros_like(weights);
    const auto scaled = scaled_weights(weights);
    for_row_blocks(projections_, *run_, [&](const at::Tensor& block, int64_t row) {
      const auto y = labels_.narrow(0, row, block.size(0)), known = known_.narrow(0, row, block.size(0));
      const auto margins = y * logits(block, scaled);
      point.loss -= (at::log_sigmoid(margins) * known).sum(0);
      const auto doubt = at::sigmoid(-margins);  // of the right answer; times y: minus the derivative
      point.curvature.narrow(0, row, block.size(0)).copy_(doubt * (1 - doubt) * known);
      add_transposed(sums, block, -y * doubt);
    });
    point.loss = point.loss / counts_ + 0.5 * column_dots(weights, penalty_ * weights);
    point.gradient = standardised(sums) / counts_ + penalty_ * weights;
    return point;
  }

  /// Products of the second derivatives at `point` with directions [k + 1, m].
  at::Tensor hessian_product(const Point& point, const at::Tensor& directions) const {
    auto sums = at::zeros_like(directions);
    const auto scaled = scaled_weights(directions);
    for_row_blocks(projections_, *run_, [&](const at::Tensor& block, int64_t row) {
      add_transposed(sums, block, point.curvature.narrow(0, row, block.size(0)) * logits(block, scaled));
    });
    return standardised(sums) / counts_ + penalty_ * directions;
  }

  /// The weights of unstandardised projections, [k, m].
  at::Tensor normals(const at::Tensor& weights) const { return scaled_weights(weights).slice(0, 0, -1); }

 private:
  /// Mean and unbiased deviation of each column; a column that never changes has no say.
  void standardise() {
    const int64_t k = projections_.size(1);
    const auto models = static_cast<double>(projections_.size(0));
    auto sum = at::zeros({k}, at::kDouble), squares = at::zeros({k}, at::kDouble);
    for_row_blocks(projections_, *run_, [&](const at::Tensor& block, int64_t) { sum += block.sum(0); });
    mean_ = (sum / models).unsqueeze(1);
    for_row_blocks(projections_, *run_,
                   [&](const at::Tensor& block, int64_t) { squares += (block - mean_.t()).square().sum(0); });
    const auto deviation = (squares / (models - 1)).sqrt().unsqueeze(1);
    inverse_ = at::where(deviation > 1e-12 * deviation.amax(), 1 / deviation, 0.0);
  }

  // With z = (p - mean) / deviation, <w, z> + b = <w / deviation, p> + (b - <w / deviation, mean>): the
  // projections are used as they are.
  at::Tensor scaled_weights(const at::Tensor& weights) const {
    const auto w = weights.slice(0, 0, -1) * inverse_;
    return at::cat({w, weights.slice(0, -1) - (w * mean_).sum(0, true)});
  }
  static at::Tensor logits(const at::Tensor& block, const at::Tensor& scaled) {
    return at::mm(block, scaled.slice(0, 0, -1)) + scaled[-1];
  }
  /// sums += [block, 1]^T values.
  static void add_transposed(at::Tensor& sums, const at::Tensor& block, const at::Tensor& values) {
    sums.slice(0, 0, -1).addmm_(block.t(), values);
    sums[-1] += values.sum(0);
  }
  /// sum_i (p_i, 1) v_i -> sum_i (z_i, 1) v_i.
  at::Tensor standardised(const at::Tensor& sums) const {
    const auto total = sums.slice(0, -1);
    return at::cat({(sums.slice(0, 0, -1) - mean_ * total) * inverse_, total});
  }

  const Run* run_;  // a pointer, so that this object can be assigned to
  at::Tensor projections_, labels_, known_, counts_;
  at::Tensor penalty_;         ///< [k + 1, 1], 0 for the intercept
  at::Tensor mean_, inverse_;  ///< [k, 1]; 1 / deviation
};

/// The step of Newton's method, -H^-1 gradient, by conjugate gradients: the closer to the solution the more
/// exactly, which keeps the convergence faster than linear. `left`: how much of its first gradient each loss
/// has left.
at::Tensor newton_step(const Losses& losses, const Losses::Point& point, const at::Tensor& left) {
  auto step = at::zeros_like(point.gradient);
  auto residual = -point.gradient;
  auto direction = residual.clone();
  auto squares = column_dots(residual, residual);
  const auto goal = squares * left.clamp_max(0.01);
  for (int64_t i = 0; i < 2 * step.size(0); ++i) {
    const auto open = squares > goal;
    if (!open.any().item<bool>()) break;
    const auto product = losses.hessian_product(point, direction);
    const auto length = at::where(open, squares / column_dots(direction, product), 0.0);
    step += length * direction;
    residual -= length * product;
    const auto next = column_dots(residual, residual);
    direction = residual + at::where(open, next / squares, 0.0) * direction;
    squares = next;
  }
  return step;
}

/// The first point on the way of `step`, halved where needed, that lowers each loss.
Losses::Point descend(const Losses& losses, const Losses::Point& from, const at::Tensor& step) {
  const auto slope = column_dots(step, from.gradient);
  auto length = at::ones_like(slope);
  for (int i = 0;; ++i) {
    auto point = losses.at(from.weights + length * step);
    const auto most = from.loss + 1e-4 * length * slope + 1e-13 * from.loss.abs();
    const auto lower = point.loss <= most;
    if (lower.all().item<bool>() || i == 50) return point;
    length = at::where(lower, length, length / 2);
  }
}

}  // namespace

at::Tensor logistic_normals(const at::Tensor& projections, const at::Tensor& labels, double penalty,
                            const Run& run) {
  constexpr double precision = 1e-9;
  constexpr int most_steps = 200;
  Losses losses(projections, labels, penalty, run);
  auto point = losses.at(losses.start());
  auto first = point.gradient.norm(2, 0).clamp_min(1e-300);
  const auto attributes = labels.size(1);
  auto remaining = at::arange(attributes, at::kLong);
  auto normals = at::empty({projections.size(1), attributes}, at::kDouble);
  for (int step = 0; step < most_steps; ++step) {
    auto left = point.gradient.norm(2, 0) / first;
    const auto is_open = left > precision;
    if (!is_open.all().item<bool>()) {
      const auto settled = is_open.logical_not().nonzero().view(-1), open = is_open.nonzero().view(-1);
      normals.index_copy_(1, remaining.index_select(0, settled),
                          losses.normals(point.weights.index_select(1, settled)));
      remaining = remaining.index_select(0, open);
      run.report({"logistic regression", attributes - remaining.numel(), attributes, {}});
      if (remaining.numel() == 0) return normals;
      losses = losses.of(open);
      point = point.of(open);
      first = first.index_select(0, open);
      left = left.index_select(0, open);
    }
    point = descend(losses, point, newton_step(losses, point, left));
  }
  throw Error(ErrorKind::failure, fmt::format("logistic regression did not converge in {} steps", most_steps),
              "give a larger <ridge>, or fewer <components>");
}

}  // namespace w2w
