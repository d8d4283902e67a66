#pragma once
// What is to be drawn of every person: each prompt with each seed.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "w2w/base/run.h"
#include "w2w/pipeline/text_to_image.h"
#include "w2w/space/space.h"

namespace w2w {

/// As asked for; an empty optional leaves it to the space, or to the defaults of TextToImageOptions where it
/// is silent.
struct PictureRequest {
  std::vector<std::string> prompts;           ///< empty: the space's
  std::vector<std::string> negative_prompts;  ///< none, one for all prompts, or one a prompt
  std::vector<uint64_t> seeds;                ///< of the picture noise, at least one
  std::optional<int64_t> steps, width, height, clip_skip;
  std::optional<double> cfg_scale;
  std::optional<SamplerChoice> sampler;
  NoiseSource noise = NoiseSource::cpu;
  bool prompt_weights = false, tiled_decode = false;
};

/// One picture with all that decided it.
struct Picture {
  at::Tensor pixels;           ///< u8 [height, width, 3]
  TextToImageOptions options;  ///< width, height and sampler resolved
  std::string model;           ///< name of the base model, without folders
};

/// A request with everything resolved.
class PicturePlan {
 public:
  /// `defaults` of the space. Error(usage) for values no model takes.
  PicturePlan(const PictureRequest& request, const SpaceDefaults& defaults);

  const std::vector<std::string>& prompts() const { return prompts_; }
  const std::vector<std::string>& negative_prompts() const { return negative_prompts_; }  ///< one a prompt
  const std::vector<uint64_t>& seeds() const { return seeds_; }
  /// What all pictures share; its prompts and seed mean nothing.
  const TextToImageOptions& common() const { return common_; }
  size_t size() const { return prompts_.size() * seeds_.size(); }
  /// What is to be drawn, prompt by prompt, seed by seed.
  std::vector<TextToImageOptions> pictures() const;
  /// What tells pictures()[index] from the others on a sheet: its prompt, its seed, or both.
  std::string label(size_t index) const;

 private:
  std::vector<std::string> prompts_, negative_prompts_;
  std::vector<uint64_t> seeds_;
  TextToImageOptions common_;
};

/// The word of a trigger that no prompt has by chance: "sks" of "a photo of sks person".
std::string trigger_word(const std::string& trigger);

/// A notice for each prompt that holds the word of none of `triggers`, and so shows somebody else.
void remark_triggers(const PicturePlan& plan, const std::vector<std::string>& triggers, const Run& run);

/// A notice where pictures are at least twice or at most half as wide or high as the model's own.
void remark_size(const std::pair<int64_t, int64_t>& own, const std::pair<int64_t, int64_t>& wanted,
                 const Run& run);

/// `run` for picture number `done` (from 0) of `total` that are drawn one after the other: its progress is
/// that of all of them, "picture 3 of 8".
Run one_picture_of(const Run& run, size_t done, size_t total);

}  // namespace w2w
