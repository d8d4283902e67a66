#include "w2w/pipeline/inversion_checkpoint.h"

#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "w2w/base/error.h"
#include "w2w/base/sha256.h"
#include "w2w/io/tensor_file.h"

namespace w2w {
namespace {

const std::string format = "inversion checkpoint 1";
const std::string prefix = "run.";

void update(Sha256& hash, const at::Tensor& tensor) {
  const auto values = tensor.contiguous();
  hash.update(values.data_ptr(), values.nbytes());
}

/// Of the first and last layer: fine-tuned models differ there, and reading all weights would take seconds.
std::string hash_of(TextToImage& model) {
  const auto weights = model.checkpoint().part("unet");
  Sha256 hash;
  for (const auto* name : {"conv_in.weight", "conv_out.weight"}) update(hash, weights.at(name));
  return hash.hex();
}

}  // namespace

std::string hash_of(const std::vector<InversionPicture>& pictures) {
  Sha256 hash;
  for (const auto& picture : pictures) {
    update(hash, picture.image);
    if (picture.mask.defined()) update(hash, picture.mask);
  }
  return hash.hex();
}

RunDescription describe_run(const InversionOptions& options, const Space& space, TextToImage& model) {
  RunDescription run = {{"--components", fmt::format("{}", options.components)},
                        {"--lr", fmt::format("{}", options.learning_rate)},
                        {"--weight-decay", fmt::format("{}", options.weight_decay)},
                        {"--batch", fmt::format("{}", options.batch)},
                        {"--accumulate", fmt::format("{}", options.accumulate)},
                        {"--seed", fmt::format("{}", options.seed)},
                        {"--prompt", options.prompt},
                        {"--dtype", c10::toString(model.dtype())},
                        {"space", space.hash()},
                        {"model", hash_of(model)},
                        {"--method", options.whitened ? "fast" : "reference"}};
  if (options.cosine) run["--steps"] = fmt::format("{}", options.steps);
  return run;
}

void write_inversion_checkpoint(const std::filesystem::path& path, const InversionState& state,
                                const RunDescription& run) {
  Metadata metadata = {{"w2w.format", format}};
  for (const auto& [name, value] : run) metadata[prefix + name] = value;
  TensorMap tensors = {{"position", state.position},
                       {"generator", state.generator},
                       {"losses", at::tensor(state.losses, at::kDouble)}};
  if (state.optimiser.steps > 0) {
    tensors["first_moment"] = state.optimiser.first_moment;
    tensors["second_moment"] = state.optimiser.second_moment;
  }
  write_safetensors(path, tensors, metadata);
}

InversionState read_inversion_checkpoint(const std::filesystem::path& path, const RunDescription& run) {
  auto [tensors, metadata, _] = read_safetensors(path);
  const auto tensor = [&, &tensors = tensors](const std::string& name, at::ScalarType dtype) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.scalar_type() != dtype || found->second.dim() != 1) {
      throw Error(ErrorKind::malformed,
                  fmt::format("damaged checkpoint ({}): no tensor '{}'", path.string(), name));
    }
    return found->second.clone();  // the file may be replaced while this run goes on
  };
  if (metadata["w2w.format"] != format) {
    throw Error(ErrorKind::malformed, fmt::format("not a checkpoint of an inversion ({})", path.string()));
  }
  for (const auto& [name, value] : run) {
    const auto& found = metadata[prefix + name];
    if (found == value) continue;
    throw Error(ErrorKind::failure,
                name.starts_with("--")
                    ? fmt::format("the checkpoint is of another run ({}): {} is {} there, {} here",
                                  path.string(), name, found.empty() ? "not given" : found, value)
                    : fmt::format("the checkpoint is of another run ({}): made with {} {}", path.string(),
                                  name == "pictures" ? "other" : "another", name),
                "give the options it was started with, or leave out --resume to start anew");
  }
  InversionState state;
  state.position = tensor("position", at::kFloat);
  state.generator = tensor("generator", at::kByte);
  const auto losses = tensor("losses", at::kDouble);
  state.losses.assign(losses.data_ptr<double>(), losses.data_ptr<double>() + losses.numel());
  if (!state.losses.empty()) {
    state.optimiser = {tensor("first_moment", at::kFloat), tensor("second_moment", at::kFloat),
                       losses.numel()};
  }
  return state;
}

}  // namespace w2w
