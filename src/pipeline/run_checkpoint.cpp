#include "w2w/pipeline/run_checkpoint.h"

#include <fmt/format.h>

#include "w2w/base/error.h"
#include "w2w/base/sha256.h"

namespace w2w {
namespace {

const std::string prefix = "run.";

std::string format_of(const std::string& work) { return "checkpoint of " + work + ", version 1"; }

}  // namespace

std::string hash_of(const TextToImage& model) {
  const auto weights = model.checkpoint().part("unet");
  Sha256 hash;
  for (const auto* name : {"conv_in.weight", "conv_out.weight"}) {
    const auto values = weights.at(name).contiguous();
    hash.update(values.data_ptr(), values.nbytes());
  }
  return hash.hex();
}

void write_run_checkpoint(const std::filesystem::path& path, const std::string& work,
                          const TensorMap& tensors, const RunDescription& run) {
  Metadata metadata = {{"w2w.format", format_of(work)}};
  for (const auto& [name, value] : run) metadata[prefix + name] = value;
  write_safetensors(path, tensors, metadata);
}

RunCheckpoint::RunCheckpoint(const std::filesystem::path& path, const std::string& work,
                             const RunDescription& run)
    : path_(path) {
  auto file = read_safetensors(path);
  if (file.metadata["w2w.format"] != format_of(work)) {
    throw Error(ErrorKind::malformed, fmt::format("not a checkpoint of {} ({})", work, path.string()));
  }
  for (const auto& [name, value] : run) {
    const auto& found = file.metadata[prefix + name];
    if (found == value) continue;
    throw Error(ErrorKind::failure,
                name.starts_with("--")
                    ? fmt::format("the checkpoint is of another run ({}): {} is {} there, {} here",
                                  path.string(), name, found.empty() ? "not given" : found, value)
                    : fmt::format("the checkpoint is of another run ({}): made with {} {}", path.string(),
                                  name.ends_with("pictures") ? "other" : "another", name),
                "give the options it was started with, or delete it to start anew");
  }
  tensors_ = std::move(file.tensors);
}

at::Tensor RunCheckpoint::take(const std::string& name, at::ScalarType dtype, int64_t dimensions) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end() || found->second.scalar_type() != dtype || found->second.dim() != dimensions) {
    throw Error(ErrorKind::malformed,
                fmt::format("damaged checkpoint ({}): no tensor '{}'", path_.string(), name));
  }
  return found->second.clone();
}

}  // namespace w2w
