#include "w2w/pipeline/inversion_checkpoint.h"

#include <ATen/ops/tensor.h>
#include <fmt/format.h>

namespace w2w {
namespace {

const std::string work = "an inversion";

}  // namespace

RunDescription describe_run(const InversionOptions& options, const Space& space, const TextToImage& model) {
  TextToImageOptions picture;
  picture.width = options.width;
  picture.height = options.height;
  const auto [width, height] = model.picture_size(picture);
  RunDescription run = {{"components", fmt::format("{}", options.components)},
                        {"lr", fmt::format("{}", options.learning_rate)},
                        {"weight-decay", fmt::format("{}", options.weight_decay)},
                        {"batch", fmt::format("{}", options.batch)},
                        {"accumulate", fmt::format("{}", options.accumulate)},
                        {"seed", fmt::format("{}", options.seed)},
                        {"prompt", options.prompt},
                        {"width", fmt::format("{}", width)},
                        {"height", fmt::format("{}", height)},
                        {"space", space.hash() + " " + space.basis()},
                        {"model", hash_of(model)},
                        {"method", options.whitened ? "fast" : "reference"}};
  if (options.prior > 0) run["prior"] = fmt::format("{}", options.prior);
  if (options.cosine) run["steps"] = fmt::format("{}", options.steps);
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

InversionState read_inversion_checkpoint(const std::filesystem::path& path, const RunDescription& run,
                                         int64_t components) {
  const RunCheckpoint checkpoint(path, work, run);
  const auto numbers = [&](const char* name) { return checkpoint.take(name, at::kFloat, {components}); };
  InversionState state;
  state.position = numbers("position");
  state.generator = checkpoint.take_generator("generator");
  const auto losses = checkpoint.take("losses", at::kDouble, {-1});
  state.losses.assign(losses.data_ptr<double>(), losses.data_ptr<double>() + losses.numel());
  if (!state.losses.empty()) {
    state.optimiser = {numbers("first_moment"), numbers("second_moment"), losses.numel()};
  }
  return state;
}

}  // namespace w2w
