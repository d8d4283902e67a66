#include "w2w/pipeline/inversion_checkpoint.h"

#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "w2w/base/sha256.h"

namespace w2w {
namespace {

const std::string work = "an inversion";

void update(Sha256& hash, const at::Tensor& tensor) {
  const auto values = tensor.contiguous();
  hash.update(values.data_ptr(), values.nbytes());
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

RunDescription describe_run(const InversionOptions& options, const Space& space, const TextToImage& model) {
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
  TensorMap tensors = {{"position", state.position.cpu()},
                       {"generator", state.generator},
                       {"losses", at::tensor(state.losses, at::kDouble)}};
  if (state.optimiser.steps > 0) {
    tensors["first_moment"] = state.optimiser.first_moment.cpu();
    tensors["second_moment"] = state.optimiser.second_moment.cpu();
  }
  write_run_checkpoint(path, work, tensors, run);
}

InversionState read_inversion_checkpoint(const std::filesystem::path& path, const RunDescription& run) {
  const RunCheckpoint checkpoint(path, work, run);
  InversionState state;
  state.position = checkpoint.take("position", at::kFloat);
  state.generator = checkpoint.take("generator", at::kByte);
  const auto losses = checkpoint.take("losses", at::kDouble);
  state.losses.assign(losses.data_ptr<double>(), losses.data_ptr<double>() + losses.numel());
  if (!state.losses.empty()) {
    state.optimiser = {checkpoint.take("first_moment", at::kFloat),
                       checkpoint.take("second_moment", at::kFloat), losses.numel()};
  }
  return state;
}

}  // namespace w2w
