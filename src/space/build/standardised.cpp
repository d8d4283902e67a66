#include "standardised.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/isfinite.h>

#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>

#include "w2w/base/error.h"
#include "w2w/device/accelerator.h"
#include "w2w/io/page_access.h"
#include "w2w/io/tensor_file.h"

namespace w2w {
namespace {

constexpr double still = 1e-6, still_std = 1e-8;

std::string module_of(const Layout& layout, int64_t parameter) {
  int64_t end = 0;
  for (const auto& target : layout.targets()) {
    end += layout.rank() * (target.in + target.out);
    if (parameter < end) return target.module;
  }
  return "?";
}

[[noreturn]] void refuse_not_finite(const at::Tensor& models, const std::vector<std::string>& names,
                                    const Layout& layout, const at::Tensor& sums) {
  const auto column = at::isfinite(sums).logical_not().nonzero()[0][0].item<int64_t>();
  const auto bad = at::isfinite(models.select(1, column)).logical_not().nonzero();
  const auto row = bad.size(0) > 0 ? bad[0][0].item<int64_t>() : 0;
  throw Error(ErrorKind::malformed,
              fmt::format("model '{}', module {}: holds values that are not finite", names[row],
                          module_of(layout, column)),
              "leave this model out, or train it again");
}

}  // namespace

int64_t ParameterStatistics::moving() const { return weight.count_nonzero().item<int64_t>(); }

ParameterStatistics parameter_statistics(const at::Tensor& models, const std::vector<std::string>& names,
                                         const Layout& layout, const Run& run) {
  const int64_t count = models.size(0), parameters = models.size(1);
  const int64_t rows = std::clamp<int64_t>((int64_t{8} << 20) / parameters, 1, count);
  const int64_t steps = (count + rows - 1) / rows;
  expect_access(models, PageAccess::sequential);
  // Differences from the first model: exact zeros where nothing moves, and no cancellation elsewhere.
  const auto first = models[0].to(at::kDouble);
  auto sum = at::zeros({parameters}, at::kDouble), squares = at::zeros({parameters}, at::kDouble);
  for (int64_t step = 0; step < steps; ++step) {
    run.check_stop();
    const auto part = models.narrow(0, step * rows, std::min(rows, count - step * rows));
    auto difference = at::sub(part.to(at::kDouble), first);  // not in place: f64 is the mapped file itself
    sum += difference.sum(0);
    squares += difference.square_().sum(0);
    if (part.is_contiguous()) release_pages(part);
    run.report({"statistics", step + 1, steps, {}});
  }
  if (!at::isfinite(sum).all().item<bool>()) refuse_not_finite(models, names, layout, sum);
  const auto n = static_cast<double>(count);
  auto std = ((squares - sum.square() / n).clamp_min(0) / (n - 1)).sqrt();
  const double typical = std.mean().item<double>();
  if (!(typical > 0)) {
    throw Error(ErrorKind::failure, fmt::format("all {} models are equal: they span no space", count));
  }
  const auto moves = std > typical * still;
  const auto weight = at::where(moves, std.reciprocal(), at::zeros({}, at::kDouble));
  std = at::where(moves, std, std.new_full({}, typical * still_std));
  return {first + sum / n, std, weight};
}

Standardised::Standardised(at::Tensor models, const ParameterStatistics& statistics, at::Device device)
    : models_(std::move(models)), mean_(statistics.mean.to(device)), weight_(statistics.weight.to(device)) {
  constexpr int64_t smallest = 1024, values = int64_t{64} << 20;
  const int64_t by_memory = values / models_.size(0), by_count = parameters() / 32;
  length_ = std::max(smallest, std::min(by_memory, by_count) / smallest * smallest);
  if (device.is_cuda()) {
    const auto memory = accelerator()->devices().at(static_cast<size_t>(device.index())).memory;
    if (static_cast<int64_t>(models_.nbytes()) < memory / 2) models_ = models_.to(device);
  }
  if (models_.is_cpu()) expect_access(models_, PageAccess::scattered);
}

at::Tensor Standardised::block(int64_t index) const {
  const int64_t first = first_column(index), length = std::min(length_, parameters() - first);
  const auto columns = models_.narrow(1, first, length).to(device());
  auto x = at::sub(columns, mean_.narrow(0, first, length)).mul_(weight_.narrow(0, first, length));
  if (models_.is_cpu() && models_.is_contiguous()) release_pages(models_);
  return x;
}

}  // namespace w2w
