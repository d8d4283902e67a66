#include "w2w/pipeline/text_to_image.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "w2w/base/error.h"
#include "w2w/base/run.h"
#include "w2w/base/threads.h"
#include "w2w/device/accelerator.h"
#include "w2w/pipeline/scheduler_file.h"
#include "w2w/text/prompt_weights.h"

namespace w2w {

using at::Tensor;

namespace {

/// A tokenizer may have words that came without their embeddings.
void check_ids(const std::vector<int64_t>& ids, const ClipTokenizer& tokenizer, int64_t embedded) {
  const auto largest = *std::max_element(ids.begin(), ids.end());
  if (largest < embedded) return;
  throw Error(ErrorKind::malformed,
              fmt::format("the text encoder has no embedding of '{}': expected an id below {}, found {}",
                          tokenizer.piece(largest), embedded, largest),
              "the tokenizer and the text encoder belong to different models");
}

}  // namespace

void check_picture_size(int64_t width, int64_t height) {
  for (const auto& [name, value] : {std::pair("width", width), std::pair("height", height)}) {
    if (value >= 0 && value % 8 == 0) continue;
    throw Error(ErrorKind::usage, fmt::format("picture {} must be divisible by 8, found {}", name, value),
                fmt::format("the nearest that fits is {}", std::max<int64_t>(8, (value + 4) / 8 * 8)));
  }
}

void TextToImageOptions::check() const {
  const auto require = [](bool good, const std::string& message) {
    if (!good) throw Error(ErrorKind::usage, message);
  };
  require(steps >= 1 && steps <= 1000, fmt::format("steps must be 1 to 1000, found {}", steps));
  require(std::isfinite(cfg_scale) && cfg_scale >= 0,
          fmt::format("cfg scale must be 0 or more, found {}", cfg_scale));
  require(clip_skip >= 1, fmt::format("clip skip must be 1 (use all layers) or more, found {}", clip_skip));
  check_picture_size(width, height);
}

TextToImage::TextToImage(Checkpoint checkpoint, at::TensorOptions options, const Run& run)
    : checkpoint_(std::move(checkpoint)),
      options_(options),
      scheduler_config_(read_scheduler_config(checkpoint_.scheduler_config_path(), run)) {}

void TextToImage::load_unet() {
  if (unet_) return;
  TensorMap parameters;
  unet_.emplace(checkpoint_.unet(options_, &parameters));
  linear_layers_ = w2w::linear_layers(parameters);
  for (const auto& [name, tensor] : parameters) unet_parameters_ += tensor.numel();
  adapter_.emplace(std::move(parameters));
}

const Targets& TextToImage::linear_layers() {
  load_unet();
  return linear_layers_;
}

const UNet& TextToImage::unet() {
  load_unet();
  return *unet_;
}

void TextToImage::set_person(const Lora& lora) {
  load_unet();
  at::NoGradGuard no_grad;
  adapter_->apply(lora);
}

WeightedTokens TextToImage::tokens(const std::string& prompt, bool prompt_weights) {
  if (!tokenizer_) tokenizer_.emplace(checkpoint_.tokenizer());
  return prompt_weights ? tokenize_weighted(*tokenizer_, prompt)
                        : WeightedTokens{tokenizer_->tokenize(prompt), {}};
}

std::vector<std::string> TextToImage::remarks(const std::string& prompt, bool prompt_weights) {
  std::vector<std::string> remarks;
  const auto weighted = tokens(prompt, prompt_weights);
  if (const auto unread = unread_syntax(prompt, prompt_weights); !unread.empty()) {
    remarks.push_back(
        fmt::format("\"{}\" is treated as plain text{}", unread,
                    unread.starts_with('(') ? ": prompt weights are off" : ": pass LoRAs as files"));
  }
  if (!weighted.prompt.cut_off.empty()) {
    remarks.push_back(fmt::format("the prompt is longer than {} tokens; cut off: \"{}\"",
                                  tokenizer_->max_length() - 2, weighted.prompt.cut_off));
  }
  return remarks;
}

/// Tokens through the text encoder, [1, 77, width]. With weights, tokens are scaled and the mean restored, as
/// A1111 does.
Tensor TextToImage::encode(const std::string& prompt, const TextToImageOptions& options) {
  const auto key = fmt::format("{}|{}|{}", options.clip_skip, options.prompt_weights, prompt);
  if (const auto* known = encoded_.find(key)) return *known;
  if (!text_encoder_) text_encoder_.emplace(checkpoint_.text_encoder(options_));
  const auto weighted = tokens(prompt, options.prompt_weights);
  check_ids(weighted.prompt.ids, *tokenizer_, checkpoint_.text_config().vocab_size);
  const auto ids = at::tensor(weighted.prompt.ids, at::kLong).unsqueeze(0).to(device());
  auto embedding = (*text_encoder_)(ids, options.clip_skip - 1);
  if (options.prompt_weights) {
    const auto mean = embedding.mean();
    const auto weights = at::tensor(weighted.weights, at::kDouble).to(embedding.options());
    embedding = embedding * weights.unsqueeze(-1);
    embedding = embedding * (mean / embedding.mean());
  }
  return encoded_.insert(key, embedding);
}

SamplerChoice TextToImage::sampler(const TextToImageOptions& options) const {
  if (options.sampler && !options.sampler->sampler.empty()) return *options.sampler;
  auto own = parse_sampler(scheduler_config_.class_name);
  own.karras = scheduler_config_.use_karras_sigmas || (options.sampler && options.sampler->karras);
  return own;
}

std::pair<int64_t, int64_t> TextToImage::picture_size(const TextToImageOptions& options) const {
  const int64_t factor = checkpoint_.vae_config().down_factor();
  const int64_t own = checkpoint_.unet_config().sample_size * factor;
  const int64_t width = options.width > 0 ? options.width : own;
  const int64_t height = options.height > 0 ? options.height : own;
  if (width % factor != 0 || height % factor != 0) {
    throw Error(ErrorKind::usage,
                fmt::format("picture size must be divisible by {} for this model, found {}x{}", factor, width,
                            height));
  }
  return {width, height};
}

Denoising Denoising::fork() const {
  return {options, scheduler->clone(), context, noise, latents, done, people, layout};
}

Denoising TextToImage::start(const TextToImageOptions& options) {
  options.check();
  at::NoGradGuard no_grad;
  const auto [width, height] = picture_size(options);
  const int64_t factor = checkpoint_.vae_config().down_factor();
  auto scheduler = make_scheduler(scheduler_config_, options.sampler);
  scheduler->set_timesteps(options.steps);

  auto context = encode(options.prompt, options);
  if (options.guided()) context = at::cat({encode(options.negative_prompt, options), context});

  NoiseStream noise(options.seed, options.noise);
  const auto channels = checkpoint_.unet_config().in_channels;
  auto latents = noise.randn({1, channels, height / factor, width / factor}) * scheduler->init_noise_sigma();
  return {options, std::move(scheduler), context, noise, latents.to(device())};
}

std::unique_ptr<LearnedFactors> TextToImage::side_by_side(const Tensor& people, const Layout* layout) const {
  return people.defined() ? std::make_unique<LearnedFactors>(*unet_, *layout, people, dtype()) : nullptr;
}

bool TextToImage::is_small(const Tensor& latents) const {
  constexpr int64_t limit =
      int64_t{1} << 32;  // multiplications, roughly; the demo world has a fourth, SD 1.5 a thousand times
  return device().is_cpu() && !accelerator_of(device()) &&
         unet_parameters_ * latents.size(2) * latents.size(3) < limit;
}

/// The UNet for each prompt of one picture, on a thread of its own.
Tensor TextToImage::predict_apart(const Tensor& latents, const Tensor& timestep,
                                  const Tensor& embedding) const {
  const SingleThreaded single;
  std::vector<Tensor> outputs(static_cast<size_t>(embedding.size(0)));
  run_parts(outputs.size(), [&](size_t i) {
    outputs[i] = (*unet_)(latents, timestep, embedding.narrow(0, static_cast<int64_t>(i), 1));
  });
  return at::cat(outputs);
}

/// (latents, timestep, embedded prompts, guidance scale, people; then the prompts' keys and values where they
/// are known) -> what the UNet predicts, f32 and guided where there are two prompts for each sample.
RecordedCall::Tensors TextToImage::predict(const RecordedCall::Tensors& in, const Layout* layout) const {
  const auto &latents = in[0], &timestep = in[1], &embedding = in[2], &scale = in[3], &people = in[4];
  const auto projected = in.begin() + 5;
  const auto factors = side_by_side(people, layout);
  const auto context =
      projected == in.end() ? nn::Context(embedding) : unet_->projected(embedding, {projected, in.end()});
  const bool apart =
      latents.size(0) == 1 && embedding.size(0) == 2 && is_small(latents) && thread_count() > 1;
  const auto output =
      (apart ? predict_apart(latents, timestep, embedding) : (*unet_)(latents, timestep, context))
          .to(at::kFloat);
  if (output.size(0) == latents.size(0)) return {output};
  // Ho & Salimans 2022, with the scale as Imagen and Stable Diffusion count it.
  const auto pairs = output.unflatten(0, {-1, 2});
  const auto without = pairs.select(1, 0), with = pairs.select(1, 1);
  return {without + scale * (with - without)};
}

void TextToImage::advance(Denoising& denoising, size_t end, const Run& run) {
  at::NoGradGuard no_grad;
  load_unet();
  auto& [options, scheduler, context, noise_stream, latents, done, people, layout] = denoising;
  const auto& timesteps = scheduler->timesteps();
  const auto floats = at::TensorOptions(at::kFloat).device(device());
  RecordedCall::Tensors inputs = {{}, {}, context, at::full({}, options.cfg_scale, floats), people};
  if (accelerator_of(device())) {  // on a CPU nothing is recorded, and little won
    const auto factors = side_by_side(people, layout);
    for (auto& tensor : unet_->project(context)) inputs.push_back(std::move(tensor));
  }
  const auto compute = [&, layout = layout](const auto& in) { return predict(in, layout); };
  const auto noise = [&, &stream = noise_stream, &latents = latents] {  // the same for all people
    auto sizes = latents.sizes().vec();
    sizes[0] = 1;
    return stream.randn(sizes).expand_as(latents);
  };
  const auto report_done = [&, &done = done] {
    run.report({"denoising", static_cast<int64_t>(done), static_cast<int64_t>(timesteps.size()), {}});
  };
  if (done == 0) report_done();
  StepsAhead ahead(device());
  for (; done < end; ++done, report_done()) {
    run.check_stop();
    inputs[0] = scheduler->scale_model_input(latents, done).to(dtype());
    inputs[1] = at::full({1}, timesteps[done], floats);
    // A copy, because samplers keep outputs and the next call may overwrite its own.
    const auto output = prediction_(compute, inputs).front().clone();
    ++unet_calls_;
    latents = scheduler->step(output, done, latents, noise);
    ahead.wait();
  }
}

Tensor TextToImage::denoise(const TextToImageOptions& options, const Run& run) {
  auto denoising = start(options);
  advance(denoising, denoising.steps(), run);
  return denoising.latents;
}

Tensor TextToImage::decode(const Tensor& latents, bool tiled) {
  at::NoGradGuard no_grad;
  if (!decoder_) decoder_.emplace(checkpoint_.vae_decoder(options_));
  const auto unscaled = (latents / checkpoint_.vae_config().scaling_factor).to(options_);
  const auto image = (tiled ? decoder_->tiled(unscaled) : (*decoder_)(unscaled)).to(at::kFloat);
  if (!image.isfinite().all().item<bool>()) {
    throw Error(ErrorKind::failure, "the picture has values that are not finite",
                "<verify> checks the space; with <dtype> f16 values can overflow, f32 is safe");
  }
  const auto pixels = ((image / 2 + 0.5).clamp(0, 1) * 255).round().to(at::kByte);
  return pixels[0].permute({1, 2, 0}).contiguous().cpu();
}

std::vector<Tensor> TextToImage::run_together(const Tensor& people, const Layout& layout,
                                              const TextToImageOptions& options, const Run& run) {
  set_person({});
  auto denoising = start(options);
  const int64_t count = people.size(0);
  denoising.people = people.to(device());
  denoising.layout = &layout;
  denoising.context = denoising.context.repeat({count, 1, 1});
  denoising.latents = denoising.latents.repeat({count, 1, 1, 1});
  advance(denoising, denoising.steps(), run);
  std::vector<Tensor> pictures;
  for (int64_t i = 0; i < count; ++i) {
    pictures.push_back(decode(denoising.latents.narrow(0, i, 1), options.tiled_decode));
  }
  return pictures;
}

Tensor TextToImage::run(const TextToImageOptions& options, const Run& run) {
  return decode(denoise(options, run), options.tiled_decode);
}

}  // namespace w2w
