// w2w space build: the principal components of many LoRAs.

#include <fmt/format.h>

#include <algorithm>

#include "cli/commands/space/options.h"
#include "cli/files/locate.h"
#include "cli/files/space_choice.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/atomic_folder.h"
#include "w2w/base/error.h"
#include "w2w/base/run.h"
#include "w2w/device/device.h"
#include "w2w/engine/person_file.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

BuildMethod parse_method(const std::string& text) {
  return text == "exact"        ? BuildMethod::exact
         : text == "randomized" ? BuildMethod::randomized
                                : BuildMethod::automatic;
}

const ModelSource* first_of(const std::vector<ModelSource>& sources, ModelSource::Kind kind) {
  const auto found =
      std::find_if(sources.begin(), sources.end(), [&](const auto& source) { return source.kind == kind; });
  return found == sources.end() ? nullptr : &*found;
}

/// What the sources say of the base model and of how to render; the options come before both.
void take_over(const std::vector<ModelSource>& sources, const SpaceOptions& options, BuildOptions& build,
               const Run& run) {
  if (const auto* source = first_of(sources, ModelSource::Kind::space)) {
    const auto space = Space::open(source->path, nullptr, run);
    build.defaults = space.data().defaults;
    build.base_model = space.data().base_model;
  } else if (const auto* lora = first_of(sources, ModelSource::Kind::lora)) {
    const auto made = describe_lora(lora->path.string());
    build.base_model = made.model;
    if (!made.model.empty()) build.defaults.prompt = made.trigger;  // of `train`: the same for all
  }
  if (build.base_model.empty()) {
    auto path = fs::path(options.shared.model.value_or("w2w demo"));
    if (!path.has_filename()) path = path.parent_path();
    build.base_model = fs::exists(path) ? path.filename().string() : path.string();  // or a hub id
  }
  build.base_model = options.base_model.value_or(build.base_model);
  build.defaults = with_options(build.defaults, options);
}

void check_weights(const SpaceOptions& options, const Run& run) {
  if (!options.weights) return;
  const fs::path file = *options.weights;
  if (file.extension() != ".safetensors") {
    throw Error(ErrorKind::usage,
                fmt::format("--weights expects a .safetensors file, found '{}'", *options.weights));
  }
  remove_leftovers(file.parent_path(), run);
  AtomicFile probe(file);  // refuses now what could not be written in an hour
  if (fs::exists(file) && !options.shared.force) {
    throw Error(ErrorKind::failure, fmt::format("the output exists already ({})", file.string()),
                "pass --force to replace it, or choose another --weights");
  }
}

void say(const BuildReport& report, const Reporter& reporter) {
  reporter.run().notice(fmt::format(
      "{} models of {} parameters ({} vary): {} components explain {:.4g} % of the variance", report.models,
      report.parameters, report.moving, report.components, 100 * report.explained));
  if (!report.exact) {
    reporter.run().notice(
        fmt::format("randomized: |G u - s^2 u| / s^2 of the components is {:.1e} in the median, {:.1e} at "
                    "worst",
                    report.residual_median, report.residual_worst));
  }
}

}  // namespace

void run_space_build(const SpaceOptions& options, Reporter& reporter) {
  const auto& arguments = options.arguments;
  if (arguments.empty()) {
    throw Error(ErrorKind::usage, "space build needs a source of models",
                "a LoRA file, a folder of LoRAs, a matrix [n, P] or a space");
  }
  auto build = options.build;
  build.output = plan_space_folder(options, reporter.run()).path;
  build.force = options.shared.force;
  build.components = options.components;
  build.method = parse_method(options.method);
  if (options.shared.device != "auto") build.device = parse_device(options.shared.device);
  build.dtype = options.dtype == "auto" ? c10::kFloat : parse_dtype(options.dtype, c10::kCPU);
  build.check();
  check_weights(options, reporter.run());
  if (options.weights) build.weights = *options.weights;
  if (options.names) {
    build.names_file = *options.names;
    build.names = read_model_names(build.names_file, reporter.run());
  }

  const auto& run = reporter.run();
  const auto sources = find_model_sources({arguments.begin(), arguments.end()}, run);
  build.linears = model_layers(options.shared, run);
  take_over(sources, options, build, run);
  const auto report = [&] {
    try {
      return build_space(sources, build, run);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::malformed || options.shared.model || !error.hint().empty()) throw;
      throw Error(error.kind(), error.what(),
                  "no --model given: LoRAs that were made for another model than the demo world's need it");
    }
  }();
  say(report, reporter);
  Json facts = {{"models", report.models},
                {"parameters", report.parameters},
                {"moving_parameters", report.moving},
                {"components", report.components},
                {"method", report.exact ? "exact" : "randomized"},
                {"canonical", report.canonical},
                {"explained", report.explained},
                {"residual_median", report.residual_median},
                {"residual_worst", report.residual_worst},
                {"hash", report.hash}};
  if (build.weights) reporter.output(*build.weights, "weights", {{"models", report.models}});
  reporter.output(build.output, "space", facts);
}

}  // namespace w2w::cli
