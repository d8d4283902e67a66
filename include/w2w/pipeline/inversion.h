#pragma once
// The person of one or several pictures as coefficients in the space: the algorithm of weights2weights
// (Dravid et al. 2024, section 3.3; docs/method.md, "Inversion").

#include <optional>
#include <vector>

#include "w2w/base/generator.h"
#include "w2w/base/threads.h"
#include "w2w/nn/adam.h"
#include "w2w/pipeline/inversion_picture.h"
#include "w2w/pipeline/text_to_image.h"
#include "w2w/schedulers/noise_schedule.h"
#include "w2w/space/products.h"

namespace w2w {

/// The defaults are the paper's for photographs.
struct InversionOptions {
  int64_t components = 10000;   ///< principal components that may change
  int64_t steps = 400;          ///< of the optimiser
  double learning_rate = 0.1;   ///< in units of what the optimiser moves
  double weight_decay = 1e-10;  ///< L2, added to the gradient
  int64_t batch = 1;            ///< noised pictures in one pass through the UNet
  int64_t accumulate = 1;       ///< passes whose gradients are averaged into one step
  /// The optimiser moves z, where c = spread * z with the training models' standard deviations (components
  /// beyond the statistics take the last one), instead of c: then a step means as much to every component,
  /// and one learning rate suits every space.
  bool whitened = false;
  bool cosine = false;  ///< the learning rate falls to 0 along half a cosine
  /// The person stays within this typicality (engine/people.h): after each step z is scaled back to that root
  /// mean square where it is larger. 0: no limit.
  double prior = 0;
  uint64_t seed = 0;  ///< of all random numbers
  std::string prompt = "sks person";
  int64_t width = 0, height = 0;  ///< pixels; 0: the model's size

  /// Error(usage) for values that make no sense.
  void check() const;
};

/// Everything the next step depends on, besides the options and the pictures.
struct InversionState {
  at::Tensor position;  ///< f32 [k]: what the optimiser moves; from a run's first step on the model's device
  nn::Adam optimiser;
  at::Tensor generator;        ///< Generator::state
  std::vector<double> losses;  ///< of the steps done

  int64_t steps() const { return static_cast<int64_t>(losses.size()); }
};

/// Minimises over c the mean of (mask * (predicted - target))^2 for noised latents of the pictures, where the
/// model's weights are those of theta(c). A step costs one forward and backward pass per `accumulate` and two
/// products with the components. Random numbers are those of docs/cli.md.
class Inversion {
 public:
  /// Error(usage) for more components than the space has; Error(failure) when `whitened` or `prior` lacks
  /// statistics. `model` and `space` must stay as long as this object; the model's person is reset at every
  /// step.
  Inversion(TextToImage& model, const Space& space, InversionOptions options);

  const InversionOptions& options() const { return options_; }
  /// Width and height in pixels that pictures must have.
  std::pair<int64_t, int64_t> picture_size() const { return size_; }

  /// Zero coefficients, the generator seeded.
  InversionState initial_state() const;
  /// f32 [k] on the CPU
  at::Tensor coefficients(const InversionState& state) const;

 private:
  friend class InversionWalk;
  struct Encoded {
    at::Tensor mean, std;  ///< of the posterior, f32 [1, 4, h, w], unscaled
    at::Tensor mask;       ///< f32 [1, 1, h, w] or undefined
  };
  /// What a step draws, on the CPU.
  struct Draw {
    at::Tensor latents, noise, timesteps, mask;  ///< accumulate * batch elements
    at::Tensor generator;                        ///< Generator::state behind them
  };
  Encoded encode(const InversionPicture& picture, const VaeEncoder& encoder) const;
  Draw draw(const std::vector<Encoded>& pictures, int64_t step, Generator& generator) const;
  nn::AdamOptions adam(int64_t step) const;
  at::Tensor loss(const at::Tensor& latents, const at::Tensor& noise, const at::Tensor& timesteps,
                  const at::Tensor& mask) const;
  RecordedCall::Tensors step(const RecordedCall::Tensors& inputs) const;

  TextToImage& model_;
  const Space& space_;
  InversionOptions options_;
  SpaceProducts products_;
  std::pair<int64_t, int64_t> size_;
  NoiseSchedule schedule_;
  nn::Context context_;
  RecordedCall step_;
  at::Tensor spread_;  ///< f32 [k] on the model's device; undefined unless whitened or with a prior
};

/// One inversion on its way, step by step; whoever walks it looks at the state, saves it, draws, stops.
class InversionWalk {
 public:
  /// From `state` on. Error(usage) without pictures. `inversion` must stay as long as this object, which is
  /// used by one thread.
  InversionWalk(Inversion& inversion, const std::vector<InversionPicture>& pictures, InversionState state);

  /// As of the last step.
  const InversionState& state() const { return state_; }
  bool is_finished() const { return state_.steps() >= inversion_.options().steps; }
  /// The next step; the model may have drawn somebody since the last one. Error(failure) when the loss is no
  /// longer a number.
  void step();

 private:
  Inversion& inversion_;
  InversionState state_;
  std::vector<Inversion::Encoded> pictures_;
  Generator generator_{0};
  Inversion::Draw drawn_;  ///< for the next step, drawn while a device was at work on the last
  std::optional<SingleThreaded> single_;
};

}  // namespace w2w
