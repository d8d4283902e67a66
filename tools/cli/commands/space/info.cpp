// w2w space info: what a space is made of.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "cli/commands/space/options.h"
#include "cli/files/space_choice.h"
#include "cli/terminal/terminal.h"
#include "w2w/device/device.h"
#include "w2w/space/labels.h"
#include "w2w/space/normality.h"
#include "w2w/space/verify.h"

namespace w2w::cli {
namespace {

/// "attn1.to_q" and how many there are.
std::map<std::string, int64_t> kinds_of(const Targets& targets) {
  std::map<std::string, int64_t> kinds;
  for (const auto& target : targets) ++kinds[std::string(kind_of(target.module))];
  return kinds;
}

/// 1, 2, 5, 10, 20, ... and the last.
std::vector<int64_t> marks_up_to(int64_t last) {
  std::vector<int64_t> marks;
  for (int64_t ten = 1; ten < last; ten *= 10) {
    for (const int64_t mark : {ten, 2 * ten, 5 * ten}) {
      if (mark < last) marks.push_back(mark);
    }
  }
  marks.push_back(last);
  return marks;
}

class SpaceInfo {
 public:
  SpaceInfo(const Space& space, const SpaceOptions& options, Reporter& reporter)
      : space_(space), data_(space.data()), options_(options), reporter_(reporter) {}

  void tell() {
    facts();
    spectrum();
    components();
    people();
  }

 private:
  void fact(const std::string& name, const std::string& text, Json value) {
    reporter_.line(fmt::format("  {:<16}{}", name, text));
    std::string field = name;
    std::replace(field.begin(), field.end(), ' ', '_');
    reporter_.field(field, std::move(value));
  }

  void facts() {
    reporter_.line(fmt::format("{}: w2w space", bold(space_.origin(), Stream::out)));
    reporter_.field("space", space_.origin());
    if (!data_.base_model.empty()) fact("base model", data_.base_model, data_.base_model);
    fact("models", fmt::format("{}", data_.models), data_.models);
    const auto dtype = dtype_name(data_.components.scalar_type());
    fact("components", fmt::format("{}, {}", space_.components(), dtype), space_.components());
    reporter_.field("component_dtype", dtype);
    const auto moving = moving_parameters(data_.std).sum().item<int64_t>();
    fact("parameters", fmt::format("{}, {} of them vary", space_.parameters(), moving), space_.parameters());
    reporter_.field("moving_parameters", moving);
    total_ = data_.total_variance > 0 ? data_.total_variance : static_cast<double>(moving);
    if (data_.layout) {
      const auto& targets = data_.layout->targets();
      std::vector<std::string> parts;
      const auto kinds = kinds_of(targets);
      for (const auto& [kind, count] : kinds) parts.push_back(fmt::format("{} {}", count, kind));
      fact("modules", fmt::format("{}: {}", targets.size(), fmt::join(parts, ", ")), kinds);
      fact("scale", fmt::format("rank {}, alpha {:g}", data_.layout->rank(), data_.layout->alpha()),
           data_.layout->scale());
    }
    const auto build = parse_json(data_.build);
    if (build.is_object() && !build.empty()) fact("built", describe(build), build);
    fact("hash", space_.hash(), space_.hash());
  }

  static std::string describe(const Json& build) {
    std::string text = build.value("method", "exact");
    if (build.contains("residual_worst")) {
      text += fmt::format(", residuals {:.1e} in the median, {:.1e} at worst",
                          build["residual_median"].get<double>(), build["residual_worst"].get<double>());
    }
    if (build.value("canonical", false)) text += ", canonical factors";
    return text;
  }

  /// Shares of the standardised models' variance. What each component explains is the variance of the
  /// training models' coefficients along it.
  void spectrum() {
    if (!data_.projection_std.defined() && !data_.projections.defined()) return;
    const auto share = space_.projection_statistics().std.to(at::kDouble).square() / total_;
    const auto sum = share.cumsum(0);
    reporter_.line("variance");
    reporter_.line("  component      share  total");
    auto list = Json::array();
    for (const int64_t mark : marks_up_to(share.numel())) {
      const auto own = share[mark - 1].item<double>(), all = sum[mark - 1].item<double>();
      reporter_.line(fmt::format("  {:>9}  {:>7.3f} %  {:>5.1f} %", mark, 100 * own, 100 * all));
      list.push_back({{"component", mark}, {"share", own}, {"cumulated", all}});
    }
    reporter_.field("spectrum", std::move(list));
  }

  void components() {
    if (!data_.projections.defined()) return;
    const auto shown = std::min(options_.components.value_or(10), data_.projections.size(1));
    reporter_.line("training models along the components (p: normality test of D'Agostino and Pearson)");
    reporter_.line("  component        std  skewness  kurtosis         p");
    auto list = Json::array();
    for (int64_t i = 0; i < shown; ++i) {
      const auto values = data_.projections.select(1, i).to(at::kDouble);
      const auto found = normality(values);
      const double std = values.std().item<double>();
      reporter_.line(fmt::format("  {:>9}  {:>9.4g}  {:>8.2f}  {:>8.2f}  {:>8.2g}", i + 1, std,
                                 found.skewness, found.kurtosis, found.p));
      list.push_back({{"component", i + 1},
                      {"std", std},
                      {"skewness", found.skewness},
                      {"kurtosis", found.kurtosis},
                      {"k2", found.k2},
                      {"p", found.p}});
    }
    reporter_.field("normality", std::move(list));
  }

  void people() {
    const auto names = training_names(space_, reporter_.run());
    if (names.empty()) return;
    reporter_.field("names", names);
    const bool all = reporter_.options().verbose || names.size() <= 6;
    const auto shown = all ? names.size() : size_t{5};
    const std::vector<std::string> first(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown));
    reporter_.line(fmt::format("people\n  {}{}", fmt::join(first, all ? "\n  " : ", "),
                               all ? "" : fmt::format(", ... ({} in all; -v shows them)", names.size())));
  }

  const Space& space_;
  const SpaceData& data_;
  const SpaceOptions& options_;
  Reporter& reporter_;
  double total_ = 0;
};

}  // namespace

void run_space_info(const SpaceOptions& options, Reporter& reporter) {
  const auto space = Space::open(space_folder(options, reporter.run()), nullptr, reporter.run());
  if (options.components) space.components(*options.components);  // refuses more than there are
  SpaceInfo(space, options, reporter).tell();
}

}  // namespace w2w::cli
