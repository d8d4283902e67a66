// w2w import: LoRA files back into coefficients.

#include <fmt/format.h>

#include "cli/app/app.h"
#include "cli/files/output_paths.h"
#include "cli/files/space_choice.h"
#include "cli/options/option_values.h"
#include "cli/options/shared_options.h"
#include "cli/terminal/reporter.h"
#include "w2w/base/error.h"
#include "w2w/engine/import.h"

namespace w2w::cli {
namespace {

struct ImportOptions {
  SharedOptions shared;
  std::vector<std::string> loras;
  std::optional<int64_t> components;
  bool partial = false;
};

Json facts_of(const ImportedLora& imported, const PersonFile& source) {
  Json facts = {{"identity", source.path},     {"components", imported.components},
                {"outside", imported.outside}, {"outside_change", imported.change_outside},
                {"rank", imported.rank},       {"outside_rank_one", imported.rank_outside}};
  if (imported.left_out > 0) {
    facts["left_out_matrices"] = imported.left_out;
    facts["left_out"] = imported.left_out_change;
  }
  return facts;
}

void run_import(const ImportOptions& options, Reporter& reporter) {
  const auto& run = reporter.run();
  std::vector<PersonFile> sources;
  std::vector<PlannedOutput> planned;
  for (const auto& path : options.loras) {
    sources.push_back(open_person(path));
    planned.push_back({"coefficients", sources.back().person(), ".safetensors"});
    if (!sources.back().coefficients || !options.components) continue;
    throw Error(ErrorKind::usage,
                fmt::format("--components is for LoRAs; this file already has {} coefficients ({})",
                            sources.back().coefficients->coefficients.numel(), path));
  }
  const auto space = open_bound_space(options.shared, run);
  const auto components = space.components(options.components.value_or(space.components())).size(0);
  const auto paths = plan_outputs(options.shared.output, planned, options.shared.existing(), run);
  for (size_t i = 0; i < sources.size(); ++i) {
    run.check_stop();
    if (options.shared.leaves(paths[i])) continue;
    if (sources[i].coefficients) {  // of a w2wmodel.pt: the same numbers with the space's hash beside them
      auto identity = coefficients_of(sources[i], space, run);
      if (identity.model.empty()) identity.model = space.data().base_model;
      write_identity(paths[i], identity);
      reporter.output(paths[i].path, "coefficients", {{"identity", sources[i].path}});
      continue;
    }
    const auto imported = import_lora(sources[i], space, components, options.partial, run);
    write_identity(paths[i], imported.identity);
    reporter.output(paths[i].path, "coefficients", facts_of(imported, sources[i]));
  }
}

}  // namespace

void add_import(App& app) {
  auto options = std::make_shared<ImportOptions>();
  auto& parser = app.add_command(
      {"import",
       "convert a LoRA to coefficients of the space",
       "LORA...",
       {{"w2w import person-7_lora.safetensors -o back",
         "back/person-7.safetensors, and the residual outside the space"},
        {"w2w import loras/*_lora* -o people", "many at once"},
        {"w2w import style.safetensors --partial",
         "of a LoRA that changes more layers than the space has, use only the space's layers"},
        {"w2w import w2wmodel.pt -o reference.safetensors", "the reference code's file in w2w's format"}}},
      [options](Reporter& reporter) { run_import(*options, reporter); });
  add_arguments(parser, "LORA", options->loras, "kohya, diffusers or PEFT file, PEFT folder, or w2wmodel.pt")
      ->required();
  add_integer(parser, "--components", options->components, {1, 1'000'000},
              "principal components to use (default: all the space has)");
  add_switch(parser, "--partial", options->partial,
             "ignore layers of the LoRA that the space does not have, such as the text encoder's");
  add_model_option(parser, options->shared);
  add_space_option(parser, options->shared);
  add_output_options(parser, options->shared);
  add_unused_options(parser, options->shared);
}

}  // namespace w2w::cli
