#include "w2w/pipeline/inversion.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "w2w/base/error.h"
#include "w2w/base/threads.h"
#include "w2w/pipeline/learned_factors.h"

namespace w2w {
namespace {

using at::Tensor;

/// Standard deviations of the training models' first k coefficients, the last known one repeated.
Tensor spread_of(const Space& space, int64_t k) {
  const auto& known = space.projection_statistics().std;
  if (known.numel() >= k) return known.narrow(0, 0, k);
  return at::cat({known, known[-1].expand({k - known.numel()})});
}

}  // namespace

void InversionOptions::check() const {
  const auto require = [](bool good, const char* what, auto found) {
    if (!good) throw Error(ErrorKind::usage, fmt::format("{}, found {}", what, found));
  };
  require(components >= 1, "components must be 1 or more", components);
  require(steps >= 1, "steps must be 1 or more", steps);
  require(std::isfinite(learning_rate) && learning_rate > 0, "learning rate must be above 0", learning_rate);
  require(std::isfinite(weight_decay) && weight_decay >= 0, "weight decay must be 0 or more", weight_decay);
  require(std::isfinite(prior) && prior >= 0, "prior must be 0 or more", prior);
  require(batch >= 1, "batch must be 1 or more", batch);
  require(accumulate >= 1, "accumulate must be 1 or more", accumulate);
  check_picture_size(width, height);
}

Inversion::Inversion(TextToImage& model, const Space& space, InversionOptions options)
    : model_(model),
      space_(space),
      options_(std::move(options)),
      products_((options_.check(), space), options_.components, model.device(), model.dtype()),
      schedule_(model.scheduler_config()),
      context_(model.embed(options_.prompt)) {
  TextToImageOptions picture;
  picture.width = options_.width;
  picture.height = options_.height;
  size_ = model_.picture_size(picture);
  context_.keep_keys();
  schedule_.alphas_cumprod = schedule_.alphas_cumprod.to(model_.device());
  if (options_.whitened || options_.prior > 0)
    spread_ = spread_of(space_, options_.components).to(model_.device());
}

InversionState Inversion::initial_state() const {
  return {at::zeros({options_.components}, at::kFloat), {}, Generator(options_.seed).state(), {}};
}

Tensor Inversion::coefficients(const InversionState& state) const {
  return options_.whitened ? (state.position * spread_.to(state.position.device())).cpu()
                           : state.position.cpu();
}

Inversion::Encoded Inversion::encode(const InversionPicture& picture, const VaeEncoder& encoder) const {
  at::NoGradGuard no_grad;
  const auto posterior = encoder(picture.image.unsqueeze(0).to(model_.tensor_options()));
  return {posterior.mean.to(at::kCPU, at::kFloat), posterior.std.to(at::kCPU, at::kFloat),
          picture.mask.defined() ? picture.mask.view({1, 1, picture.mask.size(0), picture.mask.size(1)})
                                 : Tensor()};
}

/// The elements of step number `step`, in the order of random numbers that docs/cli.md promises.
Inversion::Draw Inversion::draw(const std::vector<Encoded>& pictures, int64_t step,
                                Generator& generator) const {
  const double scaling = model_.checkpoint().vae_config().scaling_factor;
  const int64_t levels = schedule_.alphas_cumprod.numel(), count = options_.accumulate * options_.batch;
  const bool masked =
      std::any_of(pictures.begin(), pictures.end(), [](const auto& p) { return p.mask.defined(); });
  std::vector<Tensor> latents, noise, masks;
  std::vector<int64_t> timesteps;
  for (int64_t j = 0; j < count; ++j) {
    const auto& picture = pictures[static_cast<size_t>(step * count + j) % pictures.size()];
    const auto shape = picture.mean.sizes();
    latents.push_back((picture.mean + picture.std * generator.randn(shape)) * scaling);
    noise.push_back(generator.randn(shape));
    timesteps.push_back(generator.randint(0, levels));
    if (masked) {
      masks.push_back(picture.mask.defined() ? picture.mask : at::ones({1, 1, shape[2], shape[3]}));
    }
  }
  return {at::cat(latents), at::cat(noise), at::tensor(timesteps, at::kLong),
          masked ? at::cat(masks) : Tensor(), generator.state()};
}

/// The optimiser's settings in step number `step`.
nn::AdamOptions Inversion::adam(int64_t step) const {
  nn::AdamOptions adam{options_.learning_rate, 0.9, 0.999, 1e-8, options_.weight_decay};
  if (options_.cosine) {
    const double done = static_cast<double>(step) / static_cast<double>(options_.steps);
    adam.learning_rate *= (1 + std::cos(std::numbers::pi * done)) / 2;
  }
  return adam;
}

/// The mean squared error of what the UNet predicts, with whatever its branches hold.
Tensor Inversion::loss(const Tensor& latents, const Tensor& noise, const Tensor& timesteps,
                       const Tensor& mask) const {
  const auto noisy = schedule_.add_noise(latents, noise, timesteps);
  const auto target = schedule_.target(latents, noise, timesteps);
  const auto predicted = model_.unet()(noisy.to(model_.dtype()), timesteps, context_).to(at::kFloat);
  auto error = predicted - target;
  if (mask.defined()) error = error * mask;
  return error.square().mean();
}

/// (position, its two moments, adam_rates, latents, noise, timesteps, mask) -> (loss, position, its two
/// moments) one step later.
RecordedCall::Tensors Inversion::step(const RecordedCall::Tensors& in) const {
  const auto &before = in[0], &first_moment = in[1], &second_moment = in[2], &rates = in[3];
  const auto &latents = in[4], &noise = in[5], &timesteps = in[6], &mask = in[7];
  auto position = before.clone();
  const auto theta = products_.theta(options_.whitened ? position * spread_ : position);
  const LearnedFactors factors(model_.unet(), space_.layout(), theta, model_.dtype());
  Tensor total, gradient;
  for (int64_t i = 0; i < options_.accumulate; ++i) {
    const auto part = [&](const Tensor& all) {
      return all.defined() ? all.narrow(0, i * options_.batch, options_.batch) : all;
    };
    const auto loss = this->loss(part(latents), part(noise), part(timesteps), part(mask)) /
                      static_cast<double>(options_.accumulate);
    const auto of_theta = factors.gradient(loss);
    total = i == 0 ? loss.detach() : total + loss.detach();
    gradient = i == 0 ? of_theta : gradient.add_(of_theta);
  }
  auto of_position = products_.gradient(gradient);
  if (options_.whitened) of_position.mul_(spread_);
  nn::Adam optimiser{first_moment.clone(), second_moment.clone(), 0};
  optimiser.step(position, of_position, rates, adam(0));  // what differs between steps is in the rates
  if (options_.prior > 0) {
    const auto z = options_.whitened ? position : position / spread_;
    position.mul_((options_.prior / z.square().mean().sqrt()).clamp_max(1));
  }
  return {total, position, optimiser.first_moment, optimiser.second_moment};
}

InversionWalk::InversionWalk(Inversion& inversion, const std::vector<InversionPicture>& pictures,
                             InversionState state)
    : inversion_(inversion), state_(std::move(state)) {
  if (pictures.empty()) throw Error(ErrorKind::usage, "inversion needs a picture");
  auto& model = inversion_.model_;
  {
    const auto encoder =
        model.checkpoint().vae_encoder(model.tensor_options());  // a tenth of the model: not kept
    for (const auto& picture : pictures) pictures_.push_back(inversion_.encode(picture, encoder));
  }
  generator_.set_state(state_.generator);
  auto& [first_moment, second_moment, steps] = state_.optimiser;
  state_.position = state_.position.to(model.device());
  first_moment = steps == 0 ? at::zeros_like(state_.position) : first_moment.to(model.device());
  second_moment = steps == 0 ? at::zeros_like(state_.position) : second_moment.to(model.device());
  drawn_ = inversion_.draw(pictures_, state_.steps(), generator_);
  if (model.is_small(drawn_.latents)) single_.emplace();
}

void InversionWalk::step() {
  inversion_.model_.set_person({});
  auto& [first_moment, second_moment, steps] = state_.optimiser;
  const auto rates = nn::adam_rates(steps + 1, inversion_.adam(steps));
  const auto compute = [&](const RecordedCall::Tensors& inputs) { return inversion_.step(inputs); };
  const auto after = inversion_.step_(compute, {state_.position, first_moment, second_moment, rates,
                                                drawn_.latents, drawn_.noise, drawn_.timesteps, drawn_.mask});
  auto next = inversion_.draw(pictures_, state_.steps() + 1, generator_);  // while a device is at work
  const auto loss = after[0].item<double>();
  if (!std::isfinite(loss)) {
    throw Error(ErrorKind::failure, fmt::format("the loss is not finite at step {}", state_.steps() + 1),
                fmt::format("a learning rate below {} may help", inversion_.options_.learning_rate));
  }
  state_.generator = std::exchange(drawn_, std::move(next)).generator;
  state_.position = after[1].clone();  // the next step overwrites its own
  first_moment = after[2].clone();
  second_moment = after[3].clone();
  ++steps;
  state_.losses.push_back(loss);
}

}  // namespace w2w
