#include "w2w/pipeline/dreambooth.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <tuple>

#include "w2w/base/error.h"
#include "w2w/pipeline/learned_factors.h"

namespace w2w {
namespace {

using at::Tensor;

constexpr double largest_weight = 25;  // of LossWeight::velocity; the last timesteps would drown all others

/// The picture whose turn it is.
const TrainingPicture& next(const std::vector<TrainingPicture>& pictures, std::vector<int64_t>& order,
                            Generator& generator) {
  if (order.empty()) {
    const auto turn =
        generator.randperm(static_cast<int64_t>(pictures.size())).flip(0);  // taken from the end
    order.assign(turn.const_data_ptr<int64_t>(), turn.const_data_ptr<int64_t>() + turn.numel());
  }
  const auto& picture = pictures[static_cast<size_t>(order.back())];
  order.pop_back();
  return picture;
}

/// The modules in the order in which diffusers' UNet registers them: blocks down, up, middle; in an attention
/// to_q, to_k, to_v, to_out.
std::vector<std::string> registration_order(const Targets& targets) {
  const auto rank = [](const std::string& module, const std::vector<std::string>& names) {
    const auto is_in = [&](const std::string& name) { return module.find(name) != std::string::npos; };
    return std::find_if(names.begin(), names.end(), is_in) - names.begin();
  };
  const auto key = [&](const std::string& module) {
    const auto layer = module.find(".to_");
    return std::tuple(rank(module, {"down_blocks", "up_blocks", "mid_block"}), module.substr(0, layer),
                      rank(module, {".to_q", ".to_k", ".to_v", ".to_out"}), module);
  };
  std::vector<std::string> modules;
  for (const auto& target : targets) modules.push_back(target.module);
  std::sort(modules.begin(), modules.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  return modules;
}

Targets chosen_targets(const Targets& linears, const DreamboothOptions& options) {
  options.check();
  check_layer_names(linears, options.targets);
  return attention_targets(linears, options.targets);
}

}  // namespace

const std::vector<std::string>& rate_schedule_names() {
  static const std::vector<std::string> names = {"constant", "linear", "cosine"};
  return names;
}

const std::vector<std::string>& loss_weight_names() {
  static const std::vector<std::string> names = {"uniform", "velocity"};
  return names;
}

void DreamboothOptions::check() const {
  const auto require = [](bool good, const char* what, auto found) {
    if (!good) throw Error(ErrorKind::usage, fmt::format("{}, found {}", what, found));
  };
  require(!targets.empty(), "expected at least one target layer", 0);
  require(rank >= 1, "rank must be 1 or more", rank);
  require(std::isfinite(alpha) && alpha > 0, "alpha must be above 0", alpha);
  require(steps >= 1, "steps must be 1 or more", steps);
  require(batch >= 1, "batch must be 1 or more", batch);
  require(std::isfinite(learning_rate) && learning_rate > 0, "learning rate must be above 0", learning_rate);
  require(warmup >= 0, "warm-up must be 0 steps or more", warmup);
  require(std::isfinite(weight_decay) && weight_decay >= 0, "weight decay must be 0 or more", weight_decay);
  require(max_gradient_norm >= 0, "gradient clipping norm must be 0 (no clipping) or more",
          max_gradient_norm);
  check_picture_size(width, height);
  require(std::isfinite(prior_weight) && prior_weight >= 0, "prior weight must be 0 or more", prior_weight);
}

double DreamboothOptions::rate(int64_t done) const {
  if (done < warmup) return learning_rate * static_cast<double>(done + 1) / static_cast<double>(warmup);
  if (schedule == RateSchedule::constant) return learning_rate;
  const double progress =
      static_cast<double>(done - warmup) / static_cast<double>(std::max<int64_t>(1, steps - warmup));
  if (schedule == RateSchedule::linear) return learning_rate * (1 - progress);
  return learning_rate * (1 + std::cos(std::numbers::pi * progress)) / 2;
}

Dreambooth::Dreambooth(TextToImage& model, DreamboothOptions options)
    : model_(model),
      options_(std::move(options)),
      layout_(chosen_targets(model.linear_layers(), options_), options_.rank, options_.alpha),
      schedule_(model.scheduler_config()) {
  TextToImageOptions picture;
  picture.width = options_.width;
  picture.height = options_.height;
  size_ = model_.picture_size(picture);
  schedule_.alphas_cumprod = schedule_.alphas_cumprod.to(model_.device());
}

TrainingPicture Dreambooth::encode(const Tensor& image, const std::string& prompt) {
  at::NoGradGuard no_grad;
  if (!encoder_) encoder_.emplace(model_.checkpoint().vae_encoder(model_.tensor_options()));
  const auto posterior = (*encoder_)(image.unsqueeze(0).to(model_.tensor_options()));
  return {posterior.mean.to(at::kCPU, at::kFloat), posterior.std.to(at::kCPU, at::kFloat),
          model_.embed(prompt)};
}

/// PEFT makes both layers with torch's own initial values before it draws A once more.
TrainingState Dreambooth::initial_state() const {
  Generator generator(options_.seed);
  TrainingState state;
  state.generator = generator.state();
  state.theta = at::zeros({layout_.parameters()}, at::kFloat);
  const auto factors = layout_.factors(state.theta);
  for (const auto& module : registration_order(layout_.targets())) {
    const auto& [down, up, scale] = factors.at(module);
    const auto draw = [&](const Tensor& like) {
      const double bound = 1 / std::sqrt(static_cast<double>(like.size(1)));
      return generator.uniform(like.sizes(), -bound, bound);
    };
    draw(down);
    draw(up);
    down.copy_(draw(down));
  }
  return state;
}

TrainingState Dreambooth::initial_state(const Lora& lora) const {
  TrainingState state;
  state.generator = Generator(options_.seed).state();
  state.theta = layout_.flatten(lora);
  return state;
}

struct Dreambooth::Batch {
  std::vector<Tensor> latents, noise, contexts;
  std::vector<int64_t> timesteps;
};

Dreambooth::Batch Dreambooth::draw(const std::vector<Trainee*>& people) const {
  const double scaling = model_.checkpoint().vae_config().scaling_factor;
  const int64_t levels = schedule_.alphas_cumprod.numel();
  Batch batch;
  for (auto* person : people) {
    auto& state = person->state;
    Generator generator(0);
    generator.set_state(state.generator);
    const auto add = [&](const TrainingPicture& picture) {
      const auto shape = picture.mean.sizes();
      batch.latents.push_back((picture.mean + picture.std * generator.randn(shape)) * scaling);
      batch.noise.push_back(generator.randn(shape));
      batch.timesteps.push_back(generator.randint(0, levels));
      batch.contexts.push_back(picture.context);
    };
    for (int64_t i = 0; i < options_.batch; ++i) add(next(person->pictures, state.order, generator));
    for (int64_t i = 0; i < options_.batch && options_.prior_weight > 0; ++i) {
      add(next(class_pictures_, state.class_order, generator));
    }
    state.generator = generator.state();
  }
  return batch;
}

/// Mean squared errors [people, 1 or 2]: instance, prior; and the gradients [people, P] of what is minimised.
std::vector<Tensor> Dreambooth::compute(const Tensor& thetas, const Tensor& latents, const Tensor& noise,
                                        const Tensor& timesteps, const Tensor& contexts) {
  const LearnedFactors factors(model_.unet(), layout_, thetas, model_.dtype());
  const auto noisy = schedule_.add_noise(latents, noise, timesteps).to(model_.dtype());
  const auto predicted = model_.unet()(noisy, timesteps, contexts).to(at::kFloat);
  auto errors = (predicted - schedule_.target(latents, noise, timesteps)).square().mean({1, 2, 3});
  if (options_.loss_weight == LossWeight::velocity) {
    errors =
        errors * schedule_.alphas_cumprod.index_select(0, timesteps).reciprocal().clamp_max(largest_weight);
  }
  const auto parts = errors.view({thetas.size(0), -1, options_.batch}).mean(2);
  auto loss = parts.select(1, 0).sum();
  if (options_.prior_weight > 0) loss = loss + parts.select(1, 1).sum() * options_.prior_weight;
  return {parts.detach(), factors.gradient(loss)};
}

void Dreambooth::step(const std::vector<Trainee*>& people) {
  const auto batch = draw(people);
  std::vector<Tensor> thetas;
  for (const auto* person : people) thetas.push_back(person->state.theta);
  const auto count = static_cast<int64_t>(people.size());
  const auto compute = [&](const std::vector<Tensor>& in) {
    return this->compute(in[0], in[1], in[2], in[3], in[4]);
  };
  const auto device = model_.device();
  const auto result =
      step_call_(compute, {at::stack(thetas).to(device), at::cat(batch.latents).to(device),
                           at::cat(batch.noise).to(device), at::tensor(batch.timesteps, at::kLong).to(device),
                           at::cat(batch.contexts)});
  const auto values = result[0].to(at::kCPU, at::kDouble).contiguous(), gradients = result[1].cpu();
  for (int64_t i = 0; i < count; ++i) {
    auto& state = people[static_cast<size_t>(i)]->state;
    const auto row = values[i];
    state.losses.push_back({row[0].item<double>(), options_.prior_weight > 0 ? row[1].item<double>() : 0.0});
    auto gradient = gradients[i];
    const double norm = gradient.norm().item<double>();
    if (!std::isfinite(norm)) {
      state.losses.back() = {norm, norm};
      continue;
    }
    if (options_.max_gradient_norm > 0) {  // as torch.nn.utils.clip_grad_norm_
      gradient = gradient * std::min(1.0, options_.max_gradient_norm / (norm + 1e-6));
    }
    nn::AdamOptions adam;
    adam.learning_rate = options_.rate(state.steps() - 1);
    adam.weight_decay = options_.weight_decay;
    adam.decoupled = true;
    state.optimiser.step(state.theta, gradient, adam);
  }
}

}  // namespace w2w
