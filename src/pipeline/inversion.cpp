#include "w2w/pipeline/inversion.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "w2w/base/error.h"
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
  if (options_.whitened) spread_ = spread_of(space_, options_.components);
}

InversionState Inversion::initial_state() const {
  return {at::zeros({options_.components}, at::kFloat), {}, Generator(options_.seed).state(), {}};
}

Tensor Inversion::coefficients(const InversionState& state) const {
  return spread_.defined() ? state.position * spread_ : state.position;
}

Inversion::Encoded Inversion::encode(const InversionPicture& picture, const VaeEncoder& encoder) const {
  at::NoGradGuard no_grad;
  const auto posterior = encoder(picture.image.unsqueeze(0).to(model_.tensor_options()));
  return {posterior.mean.to(at::kCPU, at::kFloat), posterior.std.to(at::kCPU, at::kFloat),
          picture.mask.defined() ? picture.mask.view({1, 1, picture.mask.size(0), picture.mask.size(1)})
                                 : Tensor()};
}

/// The next options().batch elements, of which the first is number `first` of the whole run, in the order of
/// random numbers that cli.md promises.
Inversion::Batch Inversion::draw(const std::vector<Encoded>& pictures, int64_t first,
                                 Generator& generator) const {
  const double scaling = model_.checkpoint().vae_config().scaling_factor;
  const int64_t levels = schedule_.alphas_cumprod.numel();
  const bool masked =
      std::any_of(pictures.begin(), pictures.end(), [](const auto& p) { return p.mask.defined(); });
  std::vector<Tensor> latents, noise, masks;
  std::vector<int64_t> timesteps;
  for (int64_t j = 0; j < options_.batch; ++j) {
    const auto& picture = pictures[static_cast<size_t>(first + j) % pictures.size()];
    const auto shape = picture.mean.sizes();
    latents.push_back((picture.mean + picture.std * generator.randn(shape)) * scaling);
    noise.push_back(generator.randn(shape));
    timesteps.push_back(generator.randint(0, levels));
    if (masked) {
      masks.push_back(picture.mask.defined() ? picture.mask : at::ones({1, 1, shape[2], shape[3]}));
    }
  }
  const auto on_device = [&](const Tensor& values) { return values.to(model_.device()); };
  return {on_device(at::cat(latents)), on_device(at::cat(noise)), on_device(at::tensor(timesteps, at::kLong)),
          masked ? on_device(at::cat(masks)) : Tensor()};
}

/// The mean squared error of what the UNet predicts, with whatever its branches hold.
Tensor Inversion::loss(const Batch& batch) const {
  const auto noisy = schedule_.add_noise(batch.latents, batch.noise, batch.timesteps);
  const auto target = schedule_.target(batch.latents, batch.noise, batch.timesteps);
  const auto predicted = model_.unet()(noisy.to(model_.dtype()), batch.timesteps, context_).to(at::kFloat);
  auto error = predicted - target;
  if (batch.mask.defined()) error = error * batch.mask;
  return error.square().mean();
}

/// The loss of one pass, and its gradient with respect to theta.
std::pair<Tensor, Tensor> Inversion::pass(const Tensor& theta, const Batch& batch) {
  const auto compute = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
    const LearnedFactors factors(model_.unet(), space_.layout(), in[0], model_.dtype());
    const auto loss = this->loss({in[1], in[2], in[3], in[4]}) / static_cast<double>(options_.accumulate);
    return {loss.detach(), factors.gradient(loss)};
  };
  const auto result = pass_call_(compute, {theta, batch.latents, batch.noise, batch.timesteps, batch.mask});
  return {result[0], result[1]};
}

void Inversion::step(const std::vector<Encoded>& pictures, InversionState& state, Generator& generator) {
  const auto theta = products_.theta(coefficients(state).to(model_.device()));
  Tensor gradient;
  double total = 0;
  for (int64_t i = 0; i < options_.accumulate; ++i) {
    const int64_t first = (state.steps() * options_.accumulate + i) * options_.batch;
    const auto [loss, part] = pass(theta, draw(pictures, first, generator));
    gradient =
        gradient.defined() ? gradient.add_(part) : part.clone();  // the next pass may overwrite its own
    total += loss.item<double>();
  }
  if (!std::isfinite(total)) {
    throw Error(ErrorKind::failure,
                fmt::format("the loss is no longer a number at step {}", state.steps() + 1),
                fmt::format("a learning rate below {} may help", options_.learning_rate));
  }
  auto of_position = products_.gradient(gradient).cpu();
  if (spread_.defined()) of_position.mul_(spread_);
  nn::AdamOptions adam{options_.learning_rate, 0.9, 0.999, 1e-8, options_.weight_decay};
  if (options_.cosine) {
    const double done = static_cast<double>(state.steps()) / static_cast<double>(options_.steps);
    adam.learning_rate *= (1 + std::cos(std::numbers::pi * done)) / 2;
  }
  state.optimiser.step(state.position, of_position, adam);
  state.losses.push_back(total);
}

InversionState Inversion::run(const std::vector<InversionPicture>& pictures, InversionState state,
                              const std::function<void(const InversionState&)>& after_step) {
  if (pictures.empty()) throw Error(ErrorKind::usage, "inversion needs a picture");
  std::vector<Encoded> encoded;
  {
    const auto encoder =
        model_.checkpoint().vae_encoder(model_.tensor_options());  // a tenth of the model: not kept
    for (const auto& picture : pictures) encoded.push_back(encode(picture, encoder));
  }
  Generator generator(0);
  generator.set_state(state.generator);
  while (state.steps() < options_.steps) {
    check_interrupt();
    model_.set_person({});  // after_step may have drawn somebody
    step(encoded, state, generator);
    state.generator = generator.state();
    if (after_step) after_step(state);
  }
  return state;
}

}  // namespace w2w
