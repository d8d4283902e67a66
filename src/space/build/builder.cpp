#include "w2w/space/build/builder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_cholesky.h>
#include <ATen/ops/linalg_solve_triangular.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "collect.h"
#include "standardised.h"
#include "subspace.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/atomic_folder.h"
#include "w2w/base/error.h"
#include "w2w/base/run.h"
#include "w2w/base/sha256.h"
#include "w2w/io/matrix_file.h"
#include "w2w/lora/formats.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

/// What the state of an unfinished build is bound to: the models by name, size and time of their files, and
/// all options that change the outcome.
std::string key_of(const std::vector<ModelSource>& sources, const BuildOptions& options) {
  Sha256 hash;
  const auto add = [&](const std::string& text) { hash.update(text.data(), text.size() + 1); };
  for (const auto& source : sources) {
    auto file = source.path;
    if (source.kind == ModelSource::Kind::lora) file = lora_file(file);
    if (source.kind == ModelSource::Kind::space)
      file /= fs::exists(file / "space.json") ? "space.json" : "V.pt";
    const auto time = fs::last_write_time(file).time_since_epoch().count();
    add(fmt::format("{} {} {} {}", static_cast<int>(source.kind), fs::absolute(file).string(),
                    fs::file_size(file), time));
    for (const auto& name : source.names) add(name);
  }
  for (const auto& name : options.names) add(name);
  add(fmt::format("{} {} {} {} {} {} {} {} {} {} {}", options.components.value_or(-1),
                  options.projections.value_or(-1), c10::toString(options.dtype), options.canonical,
                  options.partial, options.weights.has_value(), static_cast<int>(options.method),
                  options.oversample, options.passes, options.seed, options.alpha));
  return hash.hex();
}

/// Which model is which row decides what a random start is.
std::string hash_of(const std::vector<std::string>& names) {
  Sha256 hash;
  for (const auto& name : names) hash.update(name.data(), name.size() + 1);
  return hash.hex().substr(0, 16);
}

bool on_one_file_system(const fs::path& file, const fs::path& output) {
  const auto folder = output.has_parent_path() ? output.parent_path() : fs::path(".");
  struct stat one {
  }, other{};
  return stat(file.c_str(), &one) == 0 && stat(folder.c_str(), &other) == 0 && one.st_dev == other.st_dev;
}

bool is_exact(BuildMethod method, int64_t models) {
  return method == BuildMethod::automatic ? models <= most_automatic_exact : method == BuildMethod::exact;
}

/// X^T W has orthonormal columns, the components; G W are the coefficients of the models along them.
struct Components {
  at::Tensor combination;  ///< W, f64 [n, k]
  at::Tensor scores;       ///< f64 [n, k]
  at::Tensor residual;     ///< f64 [k]
};

/// W = U / s, made orthonormal once more: W^T G W is the unit matrix but for rounding, and its Cholesky
/// factor takes that out. Signs are chosen so that the model with the largest coefficient has a positive one.
Components components_of(const Subspace& subspace) {
  const auto inverse = subspace.eigenvalues.rsqrt();
  auto combination = subspace.vectors * inverse, scores = subspace.images * inverse;
  const auto gram = combination.t().mm(scores);
  const auto factor = at::linalg_cholesky((gram + gram.t()) / 2);
  const auto solve = [&](const at::Tensor& x) {  // x L^-T
    return at::linalg_solve_triangular(factor, x.t(), /*upper=*/false).t();
  };
  combination = solve(combination);
  scores = solve(scores);
  const auto largest = scores.gather(0, scores.abs().argmax(0, /*keepdim=*/true));
  const auto sign = at::where(largest < 0, at::zeros({}, at::kDouble) - 1, at::zeros({}, at::kDouble) + 1);
  // Contiguous, as read back from a state: strides decide in which order values are summed.
  return {(combination * sign).contiguous(), (scores * sign).contiguous(), subspace.residual};
}

class SpaceBuilder {
 public:
  SpaceBuilder(const std::vector<ModelSource>& sources, const BuildOptions& options, const Run& run)
      : sources_(sources),
        options_(options),
        run_(run),
        folder_(options.output, key_of(sources, options), options.force, options.save_every, run) {}

  BuildReport run() {
    try {
      check_number_of_models();
      return build();
    } catch (const Error& error) {
      // What the models themselves do not allow leaves nothing behind; work that can be gone on with stays.
      const bool only_read = folder_.saved_stage().empty() || folder_.saved_stage() == build_stage::collect;
      if (error.kind() != ErrorKind::interrupted && !folder_.refused() && (only_read || impossible_)) {
        folder_.discard();
      }
      throw;
    }
  }

 private:
  BuildReport build() {
    const auto models = collect_models(sources_, options_, folder_, run_);
    const auto statistics = parameter_statistics(models.values, models.names, models.layout, run_);
    const Standardised x(models.values, statistics, options_.device);
    const auto components = find(x);
    SpaceData data;
    data.base_model = options_.base_model;
    data.model_layers = static_cast<int64_t>(options_.linears.size());
    data.layout = models.layout;
    data.mean = statistics.mean.to(at::kFloat);
    data.std = statistics.std.to(at::kFloat);
    data.components = write_components(x, components);
    const auto kept =
        std::min(options_.projections.value_or(data.components.size(0)), data.components.size(0));
    data.projections = components.scores.narrow(1, 0, kept).to(at::kFloat).contiguous();
    const auto centre = components.scores.mean(0);
    const auto variance =
        (components.scores - centre).square().sum(0) / static_cast<double>(models.names.size() - 1);
    data.projection_mean = centre.to(at::kFloat);
    data.projection_std = variance.sqrt().to(at::kFloat);
    data.explained_variance = variance.to(at::kFloat);
    data.total_variance = static_cast<double>(statistics.moving());
    data.names = models.names;
    data.models = static_cast<int64_t>(models.names.size());
    data.defaults = options_.defaults;

    BuildReport report;
    report.models = data.models;
    report.parameters = x.parameters();
    report.moving = statistics.moving();
    report.components = data.components.size(0);
    report.exact = is_exact(options_.method, data.models);
    report.basis = basis_size(wanted(data.models));
    report.canonical = options_.canonical;
    report.explained = variance.sum().item<double>() / data.total_variance;
    report.residual_median = components.residual.median().item<double>();
    report.residual_worst = components.residual.max().item<double>();
    data.build = description(report, data.names);
    report.hash = finish(data);
    return report;
  }

  void check_number_of_models() const {
    int64_t models = 0;
    for (const auto& source : sources_) models += static_cast<int64_t>(source.names.size());
    const int64_t wanted = options_.components.value_or(1);
    if (models > wanted) return;
    throw Error(ErrorKind::usage,
                fmt::format("too few models: {} at least {}, found {}",
                            wanted == 1 ? "1 component needs" : fmt::format("{} components need", wanted),
                            wanted + 1, models),
                models > 1 ? fmt::format("<components> {} at most, or more models", models - 1)
                           : "a space describes how models differ: it needs at least two");
  }

  Components find(const Standardised& x) {
    if (folder_.stage() == build_stage::components) {
      const auto& scores = folder_.tensor("scores", at::kDouble, {x.models(), -1});
      return {folder_.tensor("combination", at::kDouble, scores.sizes()), scores,
              folder_.tensor("residual", at::kDouble, {scores.size(1)})};
    }
    const int64_t wanted = this->wanted(x.models());
    const auto subspace =
        is_exact(options_.method, x.models())
            ? exact_subspace(x, wanted, folder_, run_)
            : krylov_subspace(x, wanted, {basis_size(wanted), options_.passes, options_.seed}, folder_, run_);
    check_found(subspace.eigenvalues.numel(), wanted, x.models());
    return components_of(subspace);
  }

  int64_t wanted(int64_t models) const {
    return options_.components.value_or(std::min(default_components, models - 1));
  }

  int64_t basis_size(int64_t wanted) const {
    return static_cast<int64_t>(std::ceil(options_.oversample * static_cast<double>(wanted)));
  }

  void check_found(int64_t found, int64_t wanted, int64_t models) {
    if (found == wanted) return;
    const auto what = fmt::format("the {} models are linearly dependent: rank {}", models, found);
    if (!options_.components) return run_.notice(what);
    impossible_ = true;
    throw Error(ErrorKind::failure, fmt::format("{}, expected {}", what, wanted),
                fmt::format("use <components> {} or fewer; look for duplicate models", found));
  }

  /// V^T = W^T X, block by block of columns, into a file that is mapped then.
  at::Tensor write_components(const Standardised& x, const Components& components) {
    const bool resumed = folder_.stage() == build_stage::components;
    const auto path = folder_.path() / "components.safetensors";
    MatrixFile file(path, "components", components.scores.size(1), x.parameters(), options_.dtype);
    const int64_t start = resumed ? folder_.position(x.blocks()) : 0;
    if (start > 0 && !file.reopened()) {
      folder_.refuse_state(
          fmt::format("the file of components has changed since it was written ({})", path.string()));
    }
    const auto save = [&](int64_t block) {
      file.flush();
      folder_.save(build_stage::components, block,
                   {{"combination", components.combination},
                    {"scores", components.scores},
                    {"residual", components.residual}});
    };
    const auto weights = components.combination.t().contiguous().to(x.device());
    for (int64_t block = start; block < x.blocks();) {
      file.write(0, x.first_column(block), weights.mm(x.block(block)).cpu());
      ++block;
      run_.report({"components", block, x.blocks(), {}});
      if (folder_.due()) save(block);
      run_.check_stop();
    }
    return read_safetensors(path).tensors.at("components");
  }

  std::string description(const BuildReport& report, const std::vector<std::string>& names) const {
    nlohmann::json build = {{"method", report.exact ? "exact" : "randomized"},
                            {"canonical", report.canonical},
                            {"explained", report.explained}};
    if (!report.exact) {
      build["oversample"] = options_.oversample;
      build["passes"] = options_.passes;
      build["seed"] = options_.seed;
      build["basis"] = report.basis;
      build["names"] = hash_of(names);
      build["residual_median"] = report.residual_median;
      build["residual_worst"] = report.residual_worst;
    }
    return build.dump();
  }

  std::string finish(const SpaceData& data) {
    const auto space = folder_.path() / "space";
    std::error_code ignored;
    fs::remove_all(space, ignored);
    write_space(space, data, options_.dtype);
    const auto hash = Space(data, space.string()).hash();
    if (!options_.weights) {
      put_folder(space, {options_.output, options_.force});
    } else {
      put_with_weights(space, {*options_.weights, options_.force});
    }
    folder_.discard();
    return hash;
  }

  /// What may fail for want of space comes first. The matrix is moved last: killed before that, the same
  /// command with --force still has it.
  void put_with_weights(const fs::path& space, const OutputPath& weights) {
    const auto collected = folder_.path() / collected_file;
    std::optional<AtomicFile> copy;
    if (!on_one_file_system(collected, weights.path)) write_bytes_of(collected, copy.emplace(weights), run_);
    put_folder(space, {options_.output, options_.force});
    copy ? copy->commit() : move_whole(collected, weights);
  }

  const std::vector<ModelSource>& sources_;
  const BuildOptions& options_;
  const Run& run_;
  BuildFolder folder_;
  bool impossible_ = false;  ///< these models do not have so many components
};

}  // namespace

void BuildOptions::check() const {
  const auto refuse = [](const std::string& what, const std::string& found) {
    throw Error(ErrorKind::usage, fmt::format("expected {}, found {}", what, found));
  };
  if (components.value_or(1) < 1) refuse("at least 1 component", fmt::format("{}", *components));
  if (projections.value_or(1) < 1)
    refuse("at least 1 coefficient of each model", fmt::format("{}", *projections));
  if (passes < 1) refuse("at least 1 pass", fmt::format("{}", passes));
  if (!(oversample >= 1)) refuse("an oversampling of at least 1", fmt::format("{}", oversample));
  if (dtype != c10::kFloat && dtype != c10::kHalf && dtype != c10::kBFloat16) {
    refuse("components of f32, f16 or bf16", c10::toString(dtype));
  }
}

BuildReport build_space(const std::vector<ModelSource>& sources, const BuildOptions& given, const Run& run) {
  given.check();
  auto options = given;
  if (!options.output.has_filename()) options.output = options.output.parent_path();  // "folder/"
  const auto ranked = std::find_if(sources.begin(), sources.end(), [](const auto& s) { return s.rank > 1; });
  if (ranked != sources.end() && !options.canonical) {
    options.canonical = true;
    run.notice(
        fmt::format("{} has rank {}: LoRAs of rank above 1 are reduced to rank 1, and all models are "
                    "normalised (canonical form)",
                    ranked->path.string(), ranked->rank));
  }
  try {
    return SpaceBuilder(sources, options, run).run();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::interrupted) throw;
    throw Error(error.kind(), error.what(), "run the same command again to resume");
  }
}

}  // namespace w2w
