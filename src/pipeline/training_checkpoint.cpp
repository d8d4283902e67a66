#include "w2w/pipeline/training_checkpoint.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace w2w {
namespace {

const std::string work = "a training";

at::Tensor table_of(const std::vector<TrainingLoss>& losses) {
  auto table = at::empty({static_cast<int64_t>(losses.size()), 2}, at::kDouble);
  auto cells = table.accessor<double, 2>();
  for (size_t i = 0; i < losses.size(); ++i) {
    cells[static_cast<int64_t>(i)][0] = losses[i].instance;
    cells[static_cast<int64_t>(i)][1] = losses[i].prior;
  }
  return table;
}

std::vector<TrainingLoss> losses_of(const at::Tensor& table) {
  std::vector<TrainingLoss> losses;
  const auto cells = table.accessor<double, 2>();
  for (int64_t i = 0; i < table.size(0); ++i) losses.push_back({cells[i][0], cells[i][1]});
  return losses;
}

}  // namespace

RunDescription describe_run(const DreamboothOptions& options, const TextToImage& model) {
  TextToImageOptions picture;
  picture.width = options.width;
  picture.height = options.height;
  const auto [width, height] = model.picture_size(picture);
  RunDescription run = {{"targets", fmt::format("{}", fmt::join(options.targets, ","))},
                        {"rank", fmt::format("{}", options.rank)},
                        {"alpha", fmt::format("{}", options.alpha)},
                        {"batch", fmt::format("{}", options.batch)},
                        {"lr", fmt::format("{}", options.learning_rate)},
                        {"lr-schedule", rate_schedule_names().at(static_cast<size_t>(options.schedule))},
                        {"warmup", fmt::format("{}", options.warmup)},
                        {"weight-decay", fmt::format("{}", options.weight_decay)},
                        {"max-grad-norm", fmt::format("{}", options.max_gradient_norm)},
                        {"prior-weight", fmt::format("{}", options.prior_weight)},
                        {"loss-weight", loss_weight_names().at(static_cast<size_t>(options.loss_weight))},
                        {"seed", fmt::format("{}", options.seed)},
                        {"prompt", options.prompt},
                        {"width", fmt::format("{}", width)},
                        {"height", fmt::format("{}", height)},
                        {"model", hash_of(model)}};
  if (options.prior_weight > 0) run["class-prompt"] = options.class_prompt;
  if (options.schedule != RateSchedule::constant) run["steps"] = fmt::format("{}", options.steps);
  return run;
}

void write_training_checkpoint(const std::filesystem::path& path, const TrainingState& state,
                               const RunDescription& run) {
  TensorMap tensors = {{"theta", state.theta},
                       {"generator", state.generator},
                       {"order", at::tensor(state.order, at::kLong)},
                       {"class_order", at::tensor(state.class_order, at::kLong)},
                       {"losses", table_of(state.losses)}};
  if (state.optimiser.steps > 0) {
    tensors["first_moment"] = state.optimiser.first_moment;
    tensors["second_moment"] = state.optimiser.second_moment;
  }
  write_run_checkpoint(path, work, tensors, run);
}

TrainingState read_training_checkpoint(const std::filesystem::path& path, const RunDescription& run,
                                       const TrainingExtent& extent) {
  const RunCheckpoint checkpoint(path, work, run);
  const auto numbers = [&](const char* name) {
    return checkpoint.take(name, at::kFloat, {extent.parameters});
  };
  TrainingState state;
  state.theta = numbers("theta");
  state.generator = checkpoint.take_generator("generator");
  state.order = checkpoint.take_indices("order", extent.pictures);
  state.class_order = checkpoint.take_indices("class_order", extent.class_pictures);
  state.losses = losses_of(checkpoint.take("losses", at::kDouble, {-1, 2}));
  if (!state.losses.empty()) {
    state.optimiser = {numbers("first_moment"), numbers("second_moment"), state.steps()};
  }
  return state;
}

}  // namespace w2w
