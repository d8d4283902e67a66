#include "cli/files/merge_output.h"

#include <fmt/format.h>

#include <filesystem>

#include "cli/files/locate.h"
#include "cli/files/output_folder.h"
#include "cli/files/output_paths.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"
#include "w2w/device/device.h"
#include "w2w/pipeline/merge.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

void refuse_model_itself(const fs::path& output, const fs::path& model) {
  std::error_code error;
  if (!fs::equivalent(output, model, error)) return;
  throw Error(ErrorKind::failure, fmt::format("the output is the model itself ({})", output.string()),
              "choose another -o");
}

OutputPath plan_model_folder(const SharedOptions& options, const std::string& name, const fs::path& model,
                             const Run& run) {
  const fs::path folder = options.output.value_or(name + "_model");
  if (folder.empty()) throw Error(ErrorKind::usage, "--output expects a file or folder, found ''");
  refuse_model_itself(folder, model);
  return plan_output_folder(folder, {"model", "model_index.json"}, options.force, options.skip_existing, run);
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
    const auto folder = plan_model_folder(options, name, path, run);
    if (options.leaves(folder) && !fs::is_empty(folder.path)) return;
    merge_into_folder(model, lora(), dtype, folder, run);
    return reporter.output(folder.path, "model", facts);
  }
  check_single_file_names(model);
  const auto file =
      plan_outputs(options.output, {{"model", name, ".safetensors"}}, options.existing(), run).front();
  refuse_model_itself(file.path, path);
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
