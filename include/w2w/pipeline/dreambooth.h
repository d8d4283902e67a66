#pragma once
// The LoRA of one person from pictures: DreamBooth (Ruiz et al. 2023) with low-rank adaptation (Hu et al.
// 2022) as weights2weights trained its 65,000 people (docs/method.md, "Training"). Several people share one
// pass through the UNet, whose weights they have in common; each has factors, optimiser, pictures and random
// numbers of their own, so that company changes nothing but rounding.

#include <optional>
#include <string>
#include <vector>

#include "w2w/nn/adam.h"
#include "w2w/pipeline/text_to_image.h"
#include "w2w/schedulers/noise_schedule.h"
#include "w2w/space/layout.h"

namespace w2w {

/// Learning-rate schedule after the warm-up.
enum class RateSchedule { constant, linear, cosine };  ///< the latter two fall to 0 at the last step

/// "constant", "linear", "cosine": in the order of the values.
const std::vector<std::string>& rate_schedule_names();

/// How much the error of a timestep counts.
enum class LossWeight {
  uniform,   ///< all alike
  velocity,  ///< min(1 / alpha-bar_t, 25): the error of epsilon as one of the velocity; early steps count
};

/// "uniform", "velocity".
const std::vector<std::string>& loss_weight_names();

/// The defaults are the paper's.
struct DreamboothOptions {
  std::vector<std::string> targets = {"to_q", "to_v"};  ///< last names of the adapted linear layers
  int64_t rank = 1;
  double alpha = 27;  ///< the change is alpha / rank * B A
  int64_t steps = 800;
  int64_t batch = 1;  ///< pictures of a person in a step, and as many class pictures
  double learning_rate = 1e-4;
  RateSchedule schedule = RateSchedule::constant;
  int64_t warmup = 0;  ///< steps over which the rate rises linearly
  double weight_decay = 1e-2;
  double max_gradient_norm = 1;  ///< gradient clipping: norm of each person's gradient; 0: no clipping
  double prior_weight = 1;       ///< of the class pictures' loss; 0: no class pictures
  LossWeight loss_weight = LossWeight::uniform;
  uint64_t seed = 0;  ///< of each person's first A and of each person's random numbers
  std::string prompt = "sks person", class_prompt = "person";
  int64_t width = 0, height = 0;  ///< pixels; 0: the model's size

  /// Error(usage) for values that make no sense.
  void check() const;
  /// Of step number `done` (from 0).
  double rate(int64_t done) const;
};

/// What training sees of a picture.
struct TrainingPicture {
  at::Tensor mean, std;  ///< of the VAE's posterior, f32 [1, 4, h, w], unscaled
  at::Tensor context;    ///< the embedded prompt, [1, 77, width]
};

struct TrainingLoss {
  double instance = 0, prior = 0;  ///< mean squared errors, unweighted by prior_weight
};

/// Everything a person's next step depends on, besides options and pictures.
struct TrainingState {
  at::Tensor theta;  ///< f32 [P]
  nn::Adam optimiser;
  at::Tensor generator;                     ///< Generator::state
  std::vector<int64_t> order, class_order;  ///< what is left of the current turn through the pictures
  std::vector<TrainingLoss> losses;         ///< of the steps done

  int64_t steps() const { return static_cast<int64_t>(losses.size()); }
};

/// One person in training.
struct Trainee {
  std::vector<TrainingPicture> pictures;
  TrainingState state;
};

/// Random numbers of a person, all from one CPU generator seeded with options().seed: for every step the
/// elements of the batch, then as many class pictures; for each, when its kind's turn is over, the next turn
/// as randperm(count), then posterior noise randn(1, 4, h, w), noise randn(1, 4, h, w), timestep randint(0,
/// 1000, (1,)).
class Dreambooth {
 public:
  /// `model` must stay as long as this object; its person is reset. Error(failure) when the model has none of
  /// the targets.
  Dreambooth(TextToImage& model, DreamboothOptions options);

  const DreamboothOptions& options() const { return options_; }
  const Layout& layout() const { return layout_; }
  /// Width and height in pixels that pictures must have.
  std::pair<int64_t, int64_t> picture_size() const { return size_; }

  /// `image`: f32 [3, H, W] in -1..1.
  TrainingPicture encode(const at::Tensor& image, const std::string& prompt);
  /// Must be set before the first step unless prior_weight is 0.
  void set_class_pictures(std::vector<TrainingPicture> pictures) { class_pictures_ = std::move(pictures); }

  /// A uniform within +-1 / sqrt(in), B zero: what PEFT starts from after torch.manual_seed(seed).
  TrainingState initial_state() const;
  /// The factors of `lora` in their place. Error(failure) when it has another rank or other layers.
  TrainingState initial_state(const Lora& lora) const;

  /// One step of each person, in one pass. AdamW after clipping each gradient. A person whose loss or
  /// gradient is no longer a number keeps the factors of before, and has that as the loss.
  void step(const std::vector<Trainee*>& people);

  Lora lora(const TrainingState& state) const { return layout_.factors(state.theta); }

 private:
  struct Batch;
  Batch draw(const std::vector<Trainee*>& people) const;
  std::vector<at::Tensor> compute(const at::Tensor& thetas, const at::Tensor& latents,
                                  const at::Tensor& noise, const at::Tensor& timesteps,
                                  const at::Tensor& contexts);

  TextToImage& model_;
  DreamboothOptions options_;
  Layout layout_;
  std::pair<int64_t, int64_t> size_;
  NoiseSchedule schedule_;
  std::optional<VaeEncoder> encoder_;
  RecordedCall step_call_;
  std::vector<TrainingPicture> class_pictures_;
};

}  // namespace w2w
