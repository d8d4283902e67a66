#pragma once
// Text to picture with one person of the space, or with the base model alone.

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "w2w/base/generator.h"
#include "w2w/base/recently_used.h"
#include "w2w/base/run.h"
#include "w2w/device/recorded_call.h"
#include "w2w/lora/adapter.h"
#include "w2w/lora/target.h"
#include "w2w/pipeline/learned_factors.h"
#include "w2w/schedulers/sampler_names.h"
#include "w2w/sd/checkpoint.h"
#include "w2w/space/layout.h"
#include "w2w/text/prompt_weights.h"

namespace w2w {

/// Error(usage) unless both are divisible by 8, as latents have to be; 0 stands for a model's own.
void check_picture_size(int64_t width, int64_t height);

/// What a picture depends on besides the model and the person.
struct TextToImageOptions {
  std::string prompt = "sks person";
  std::string negative_prompt;
  int64_t steps = 50;
  double cfg_scale = 3.0;                ///< guidance scale; 1 and below runs the prompt alone
  int64_t width = 0, height = 0;         ///< pixels; 0: the size the model was trained at
  std::optional<SamplerChoice> sampler;  ///< none: the model's own scheduler
  int64_t clip_skip =
      1;  ///< 1 uses all layers of the text encoder, 2 leaves out the last (A1111's and sd.cpp's count)
  uint64_t seed = 0;  ///< of the picture noise
  NoiseSource noise = NoiseSource::cpu;
  bool prompt_weights = false;  ///< A1111's (word:1.2) syntax
  bool tiled_decode = false;    ///< VAE in tiles: less memory for large pictures

  /// Whether the negative prompt takes part.
  bool guided() const { return cfg_scale > 1; }
  /// Error(usage) for values no model takes.
  void check() const;
};

/// A picture on its way from noise. Forks go on by themselves: from a common beginning to several
/// ends.
struct Denoising {
  TextToImageOptions options;
  std::unique_ptr<Scheduler> scheduler;  ///< with its history
  at::Tensor context;                    ///< embedded prompts, with guidance [2, 77, width]: negative first
  NoiseStream noise;                     ///< what ancestral samplers go on drawing from
  at::Tensor latents;                    ///< f32 [1, channels, height / f, width / f], after `done` steps
  size_t done = 0;
  /// Several people side by side, f32 [people, P] on the device and how to read them: then context and
  /// latents are so many. None: the person that is set.
  at::Tensor people = {};
  const Layout* layout = nullptr;

  size_t steps() const { return scheduler->timesteps().size(); }
  Denoising fork() const;
};

/// A model ready to draw. Parts load when first needed; the person is set between pictures without reloading
/// anything.
class TextToImage {
 public:
  /// `options`: dtype and device to compute with.
  TextToImage(Checkpoint checkpoint, at::TensorOptions options, const Run& run = {});

  const Checkpoint& checkpoint() const { return checkpoint_; }
  /// The sampler that `options` choose, the model's own if they leave it open.
  SamplerChoice sampler(const TextToImageOptions& options) const;
  /// Width and height in pixels that `options` mean. Error(usage) when the model cannot draw them.
  std::pair<int64_t, int64_t> picture_size(const TextToImageOptions& options) const;
  const SchedulerConfig& scheduler_config() const { return scheduler_config_; }
  at::ScalarType dtype() const { return options_.dtype().toScalarType(); }
  at::Device device() const { return options_.device(); }
  const at::TensorOptions& tensor_options() const { return options_; }
  /// The UNet, loaded when first asked for.
  const UNet& unet();
  /// A prompt through the text encoder, [1, 77, width] on the device.
  at::Tensor embed(const std::string& prompt) { return encode(prompt, {}); }
  /// What of a prompt the model does not see as it may be meant, in sentences: syntax that is not read, words
  /// beyond the last token.
  std::vector<std::string> remarks(const std::string& prompt, bool prompt_weights);
  /// Every linear layer of the UNet: what a LoRA may change.
  const Targets& linear_layers();
  /// From here on the model draws this person; an empty one is the base model.
  void set_person(const Lora& lora);

  /// One picture, u8 [height, width, 3]. Reports "denoising" before the first step (0) and after each; stops
  /// with Error(interrupted) within a step. Independent of all pictures before it.
  at::Tensor run(const TextToImageOptions& options, const Run& run = {});

  /// The same picture of several people, who share each pass through the UNet: weight vectors [people, P] of
  /// `layout`, which is the same in all calls. But for roundings the pictures are those of `run`. The person
  /// that is set is no longer.
  std::vector<at::Tensor> run_together(const at::Tensor& people, const Layout& layout,
                                       const TextToImageOptions& options, const Run& run = {});

  /// A picture before its first step; its prompts are encoded.
  Denoising start(const TextToImageOptions& options);
  /// Runs the steps before `end` with the person set now. Reports as run does.
  void advance(Denoising& denoising, size_t end, const Run& run = {});
  /// Whether the operators of a pass over one such picture, latents [1, channels, h, w], are so small that
  /// threads that share them mostly wait for each other.
  bool is_small(const at::Tensor& latents) const;
  /// Passes through the UNet since this object was made.
  int64_t unet_calls() const { return unet_calls_; }

  /// The latents before decoding, on the device, f32 [1, channels, height / f, width / f].
  at::Tensor denoise(const TextToImageOptions& options, const Run& run = {});

  /// Such latents as a picture, u8 [height, width, 3]. Error(failure) where they are not numbers.
  at::Tensor decode(const at::Tensor& latents, bool tiled);

 private:
  void load_unet();
  WeightedTokens tokens(const std::string& prompt, bool prompt_weights);
  at::Tensor encode(const std::string& prompt, const TextToImageOptions& options);
  std::unique_ptr<LearnedFactors> side_by_side(const at::Tensor& people, const Layout* layout) const;
  at::Tensor predict_apart(const at::Tensor& latents, const at::Tensor& timestep,
                           const at::Tensor& embedding) const;
  RecordedCall::Tensors predict(const RecordedCall::Tensors& inputs, const Layout* layout) const;
  Checkpoint checkpoint_;
  at::TensorOptions options_;
  SchedulerConfig scheduler_config_;
  std::optional<ClipTokenizer> tokenizer_;
  std::optional<ClipText> text_encoder_;
  std::optional<UNet> unet_;
  RecordedCall prediction_;
  std::optional<Adapter> adapter_;
  std::optional<VaeDecoder> decoder_;
  Targets linear_layers_;
  int64_t unet_parameters_ = 0;
  int64_t unet_calls_ = 0;
  RecentlyUsed<std::string, at::Tensor> encoded_{64};  ///< prompts, by prompt and how it was encoded
};

}  // namespace w2w
