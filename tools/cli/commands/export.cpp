// w2w export: people as files that other tools load.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cli/app/app.h"
#include "cli/files/locate.h"
#include "cli/files/lora_output.h"
#include "cli/files/merge_output.h"
#include "cli/files/output_paths.h"
#include "cli/files/space_choice.h"
#include "cli/options/option_values.h"
#include "cli/terminal/reporter.h"
#include "w2w/base/error.h"
#include "w2w/device/device.h"
#include "w2w/engine/person_file.h"
#include "w2w/lora/formats.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

struct ExportOptions {
  SharedOptions shared;
  std::vector<std::string> identities;
  std::optional<std::string> dtype, name;
  std::optional<std::string> format;  ///< a LoraFormat or "pt"
  bool merge = false;

  bool as_coefficients() const { return format == "pt"; }
  LoraFormat lora_format() const { return format ? parse_lora_format(*format) : LoraFormat::kohya; }
};

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorKind::usage, what); }

void check(const ExportOptions& options) {
  if (options.merge && options.format)
    refuse("--merge writes a whole model, --format a LoRA: use one of them");
  if (options.name && (options.merge || options.as_coefficients())) {
    refuse("--name is the title of a LoRA, and no LoRA is written");
  }
}

std::vector<PersonFile> open_sources(const ExportOptions& options) {
  auto sources = open_people(options.identities);
  for (const auto& source : sources) {
    if (source.coefficients || !options.as_coefficients()) continue;
    throw Error(ErrorKind::usage,
                fmt::format("--format pt needs coefficients, found a LoRA ({})", source.path),
                "`w2w import` converts a LoRA to coefficients");
  }
  if (sources.size() < 2) return sources;
  if (options.merge) refuse(fmt::format("--merge takes one identity, found {}", sources.size()));
  if (options.name) refuse(fmt::format("--name names one LoRA, found {} identities", sources.size()));
  return sources;
}

std::vector<OutputPath> plan(const ExportOptions& options, const std::vector<PersonFile>& sources,
                             const Run& run) {
  std::vector<PlannedOutput> planned;
  for (const auto& source : sources) {
    if (options.as_coefficients()) {
      planned.push_back({"coefficients", source.person(), ".pt"});
    } else {
      planned.push_back({"lora", source.person(), lora_suffix(options.lora_format())});
    }
  }
  return plan_outputs(options.shared.output, planned, options.shared.existing(), run);
}

/// Turns identities into LoRAs; space and model are looked at when the first identity needs them.
class Converter {
 public:
  Converter(const ModelOptions& options, const Run& run) : options_(options), run_(run) {}

  /// Refuses what does not fit, before anything is written.
  void check(const PersonFile& source) {
    if (source.coefficients) check_identity_fits(*source.coefficients, space(), source.path);
  }

  Lora lora(const PersonFile& source) {
    return source.coefficients ? space().lora(source.coefficients->coefficients)
                               : read_lora(source.path, layers());
  }

  /// What the metadata shall say of it.
  Identity description(const PersonFile& source) {
    if (!source.coefficients) return describe_lora(source.path);
    auto identity = *source.coefficients;
    set_space(identity, space());
    if (identity.model.empty()) identity.model = space().data().base_model;
    return identity;
  }

  /// What is known of the model it fits. A space that was named need not be that of the demo model.
  LoraModel model(const PersonFile& source) {
    const bool of_model = !source.coefficients || options_.model || !options_.space;
    if (of_model && !checkpoint_) checkpoint_ = open_checkpoint(options_, run_);
    return lora_model(of_model ? &*checkpoint_ : nullptr, source.coefficients ? &space() : nullptr);
  }

 private:
  const Space& space() {
    if (!space_) space_ = open_bound_space(options_, run_);
    return *space_;
  }
  const Targets& layers() {
    if (layers_.empty()) layers_ = model_layers(options_, run_);
    return layers_;
  }

  const ModelOptions& options_;
  const Run& run_;
  std::optional<Space> space_;
  std::optional<Checkpoint> checkpoint_;
  Targets layers_;
};

void run_export(const ExportOptions& given, Reporter& reporter) {
  const auto& run = reporter.run();
  auto options = given;
  if (options.dtype == "auto") options.dtype.reset();
  check(options);
  if (options.as_coefficients() && options.dtype && *options.dtype != "f32") {
    run.notice(fmt::format("--format pt always stores f32: --dtype {} has no effect", *options.dtype));
  }
  const auto sources = open_sources(options);
  Converter converter(options.shared, run);
  if (!options.as_coefficients()) {
    for (const auto& source : sources) converter.check(source);
  }
  if (options.merge) {
    const auto& source = sources.front();
    return write_merged(
        options.shared, options.dtype, source.person(), [&] { return converter.lora(source); },
        converter.description(source), reporter);
  }
  const auto paths = plan(options, sources, run);
  const auto dtype = options.dtype.value_or("f16");
  std::set<std::string> said;
  for (size_t i = 0; i < sources.size(); ++i) {
    run.check_stop();
    const auto& source = sources[i];
    if (options.shared.leaves(paths[i])) continue;
    if (options.as_coefficients()) {
      write_identity(paths[i], *source.coefficients);
      reporter.output(paths[i].path, "coefficients", {{"identity", source.path}});
      continue;
    }
    const auto lora = converter.lora(source);
    const auto description = converter.description(source);
    const auto model = converter.model(source);
    write_lora(paths[i], options.lora_format(), lora, options.name.value_or(source.person()), description,
               model, options.shared.no_metadata, parse_dtype(dtype, c10::kCPU));
    const auto fits = fitting_models(lora, model, description.model);
    reporter.output(paths[i].path, "lora",
                    {{"identity", source.path},
                     {"format", name_of(options.lora_format())},
                     {"dtype", dtype},
                     {"fits", fits}});
    if (said.insert(fits).second) reporter.remark("fits " + fits);
  }
}

}  // namespace

void add_export(App& app) {
  auto options = std::make_shared<ExportOptions>();
  auto& parser = app.add_command(
      {"export",
       "write a person as a LoRA or a whole model for other tools",
       "IDENTITY...",
       {{"w2w export person-7.safetensors",
         "person-7_lora.safetensors for ComfyUI, A1111, sd.cpp, InvokeAI, diffusers"},
        {"w2w export person-7.safetensors person-8.safetensors --format peft -o loras",
         "two as PEFT folders"},
        {"w2w export people.safetensors:person-17", "one of the people in a file of `sample --matrix`"},
        {"w2w export person-7.safetensors --format pt -o w2wmodel.pt", "for the reference code"},
        {"w2w export person-7.safetensors --merge -o person-7-model",
         "a diffusers folder with the person merged into the weights"},
        {"w2w export person-7.safetensors -m sd15.safetensors --merge -o person-7-model.safetensors",
         "the same as a single file"}}},
      [options](Reporter& reporter) { run_export(*options, reporter); });
  add_arguments(
      parser, "IDENTITY", options->identities,
      "coefficient file (.safetensors, .pt), or a LoRA to write in another format; of a file of many people "
      "all, or FILE:NAME or FILE:ROW")
      ->required();
  auto formats = lora_format_words();
  formats.emplace_back("pt");
  add_choice(
      parser, "--format", options->format, formats,
      "kohya, also as comfyui and a1111: one file for most tools; peft: a PEFT folder; diffusers: one file "
      "with diffusers' names; pt: the coefficients as the reference code saves them; default: kohya");
  add_choice(
      parser, "--dtype", options->dtype, {"auto", "f16", "bf16", "f32"},
      "precision of the file: auto is f16 for a LoRA, the model's own with --merge; coefficients are f32; "
      "default: auto");
  add_text(parser, "--name", options->name, "TEXT",
           "the LoRA's title in its metadata; default: the identity's name");
  add_switch(
      parser, "--merge", options->merge,
      "write the whole model with the person in it: -o X.safetensors a single file, else a diffusers folder");
  add_model_option(parser, options->shared);
  add_space_option(parser, options->shared);
  add_output_options(parser, options->shared);
  parser.get_option("--no-metadata")->description("do not write the person's history into the files");
  add_unused_options(parser, options->shared);
}

}  // namespace w2w::cli
