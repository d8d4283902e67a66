#include "cli/files/merge_output.h"

#include <fmt/format.h>

#include <filesystem>

#include "cli/files/locate.h"
#include "cli/files/output_paths.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/atomic_folder.h"
#include "w2w/base/error.h"
#include "w2w/device/device.h"
#include "w2w/pipeline/merge.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

/// Where the folder goes; refuses one that exists unless it is empty, or a model that --force replaces or
/// --skip-existing leaves.
OutputPath plan_folder(const SharedOptions& options, const std::string& name, const fs::path& model,
                       const Run& run) {
  fs::path folder = options.output.value_or(name + "_model");
  if (options.output && options.output->empty()) {
    throw Error(ErrorKind::usage, "--output expects a file or folder, found ''");
  }
  if (!folder.has_filename()) folder = folder.parent_path();
  std::error_code error;
  const auto refuse = [&](const std::string& what, const std::string& hint) {
    throw Error(ErrorKind::failure, fmt::format("{} ({})", what, folder.string()), hint);
  };
  const OutputPath output(folder, options.existing() == Existing::replace);
  const auto above = folder.parent_path();
  remove_leftovers(above, run);
  check_file_name(folder);
  if (fs::exists(folder, error)) {
    if (fs::equivalent(folder, model, error)) refuse("the output is the model itself", "choose another -o");
    if (!fs::is_directory(folder)) refuse("the output is a file, expected a folder", "choose another -o");
    const bool is_model = fs::exists(folder / "model_index.json", error);
    if (!fs::is_empty(folder, error) && !((options.force || options.skip_existing) && is_model)) {
      refuse("the output exists already", is_model ? "pass --force to replace it, or choose another -o"
                                                   : "--force replaces models only; choose another -o");
    }
  }
  if (!above.empty()) fs::create_directories(above, error);
  if (error) refuse("cannot make the output folder", error.message());
  return output;
}

}  // namespace

void write_merged(const SharedOptions& options, const std::optional<std::string>& dtype_name,
                  const std::string& name, const std::function<Lora()>& lora, const Identity& identity,
                  Reporter& reporter) {
  const auto& run = reporter.run();
  const auto dtype = dtype_name ? std::optional(parse_dtype(*dtype_name, at::kCPU)) : std::nullopt;
  const auto path = locate_model(options.model, run);
  const auto model = Checkpoint::open(path, locate_parts(options));
  const Json facts = {{"identity", name}, {"model", path.filename().string()}};
  const auto extension = fs::path(options.output.value_or("")).extension();
  if (extension != ".safetensors") {
    if (extension == ".ckpt" || extension == ".pt" || extension == ".bin") {
      throw Error(ErrorKind::usage, fmt::format("merged models are written as .safetensors, not {} ({})",
                                                extension.string(), *options.output));
    }
    const auto folder = plan_folder(options, name, path, run);
    if (options.leaves(folder) && !fs::is_empty(folder.path)) return;
    merge_into_folder(model, lora(), dtype, folder, run);
    return reporter.output(folder.path, "model", facts);
  }
  check_single_file_names(model);
  const auto file =
      plan_outputs(options.output, {{"model", name, ".safetensors"}}, options.existing(), run).front();
  std::error_code error;
  if (fs::equivalent(file.path, path, error)) {
    throw Error(ErrorKind::failure, fmt::format("the output is the model itself ({})", file.path.string()),
                "choose another -o");
  }
  if (options.leaves(file)) return;
  Metadata metadata = {{"format", "pt"}};
  if (!options.no_metadata) {
    metadata.insert({{"w2w.format", "1"},
                     {"w2w.space", identity.space_hash},
                     {"w2w.model", identity.model},
                     {"w2w.history", identity.history},
                     {"w2w.trigger", identity.trigger}});
    if (!identity.basis.empty()) metadata["w2w.basis"] = identity.basis;
  }
  merge_into_file(model, lora(), dtype, file, metadata, run);
  reporter.output(file.path, "model", facts);
}

}  // namespace w2w::cli
