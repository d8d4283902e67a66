#pragma once
// A model and the space bound to it, and what is done with both: whatever front end asks for it.

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "w2w/base/run.h"
#include "w2w/engine/person_file.h"
#include "w2w/engine/pictures.h"
#include "w2w/pipeline/editing.h"
#include "w2w/pipeline/text_to_image.h"
#include "w2w/sd/checkpoint.h"
#include "w2w/space/space.h"

namespace w2w {

/// Used by one thread at a time; several engines know nothing of each other. Weights are loaded when first
/// needed. Calls depend on nothing but their arguments: who was drawn before does not matter.
class Engine {
 public:
  /// `space` is bound to the model; without one the engine knows LoRAs alone. `options`: dtype and device to
  /// compute with. Error(failure) for a space of another model.
  Engine(Checkpoint checkpoint, std::optional<Space> space, at::TensorOptions options, const Run& run = {});

  const Checkpoint& checkpoint() const { return model_.checkpoint(); }
  /// Of the base model, without folders.
  std::string model_name() const { return checkpoint().path().filename().string(); }
  /// Error(failure) when the engine has none.
  const Space& space() const;
  /// For pipelines that work with the model itself.
  TextToImage& model() { return model_; }

  /// The change of weights that draws the person.
  Lora lora(const Identity& person) const { return space().lora(person.coefficients); }
  /// Likewise; of a LoRA the file's. Errors of read_lora and check_identity_fits.
  Lora lora(const PersonFile& person);

  /// With the size and the sampler that the model takes where `options` leave them open.
  TextToImageOptions resolved(TextToImageOptions options) const;

  /// Tells of what the model does not see of prompts as it may be meant, of each text once, of prompts that
  /// hold none of the words that mean a person (`triggers`, empty ones do not count), and of sizes far from
  /// the model's own.
  void remark(const PicturePlan& plan, const std::vector<std::string>& triggers, const Run& run);

  /// `pictures` of one person, an empty LoRA being the base model. `drawn` gets each as soon as there is one,
  /// with its index. Progress as of one_picture_of, where `before` of `total` pictures were drawn before.
  void draw(const Lora& person, std::span<const TextToImageOptions> pictures, const Run& run,
            const std::function<void(size_t, Picture)>& drawn, size_t before = 0, size_t total = 0);
  Picture draw(const Lora& person, const TextToImageOptions& picture, const Run& run = {});

  /// One picture of several people who share each pass through the UNet: the same but for rounding.
  std::vector<Picture> draw_together(std::span<const Identity> people, const TextToImageOptions& picture,
                                     const Run& run = {});

  /// One picture of a person and of each edit of that person (delayed injection), the original first.
  std::vector<Picture> draw_edits(const Lora& original, const std::vector<Lora>& edits,
                                  const TextToImageOptions& picture, const EditingOptions& options,
                                  const Run& run = {});

 private:
  TextToImage model_;
  std::optional<Space> space_;
};

}  // namespace w2w
