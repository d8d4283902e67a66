#include "w2w/engine/pictures.h"

#include <fmt/format.h>

namespace w2w {

PicturePlan::PicturePlan(const PictureRequest& request, const SpaceDefaults& defaults)
    : prompts_(request.prompts), seeds_(request.seeds) {
  if (prompts_.empty()) prompts_ = {defaults.prompt};
  const auto& negative = request.negative_prompts;
  for (size_t i = 0; i < prompts_.size(); ++i) {
    negative_prompts_.push_back(negative.empty()       ? defaults.negative_prompt
                                : negative.size() == 1 ? negative.front()
                                                       : negative.at(i));
  }
  common_.steps = request.steps.value_or(defaults.steps);
  common_.cfg_scale = request.cfg_scale.value_or(defaults.cfg_scale);
  common_.width = request.width.value_or(defaults.width);
  common_.height = request.height.value_or(defaults.height);
  common_.clip_skip = request.clip_skip.value_or(1);
  common_.sampler = request.sampler;
  common_.noise = request.noise;
  common_.prompt_weights = request.prompt_weights;
  common_.tiled_decode = request.tiled_decode;
  common_.check();
}

std::vector<TextToImageOptions> PicturePlan::pictures() const {
  std::vector<TextToImageOptions> all;
  for (size_t prompt = 0; prompt < prompts_.size(); ++prompt) {
    for (const auto seed : seeds_) {
      all.push_back(common_);
      all.back().prompt = prompts_[prompt];
      all.back().negative_prompt = negative_prompts_[prompt];
      all.back().seed = seed;
    }
  }
  return all;
}

std::string PicturePlan::label(size_t index) const {
  const auto seed = fmt::format("seed {}", seeds_[index % seeds_.size()]);
  if (prompts_.size() == 1) return seed;
  const auto& prompt = prompts_[index / seeds_.size()];
  return seeds_.size() == 1 ? prompt : prompt + "\n" + seed;
}

Run one_picture_of(const Run& run, size_t done, size_t total) {
  return run.with_progress([&run, done, total](ProgressEvent event) {
    event.what = fmt::format("picture {} of {}", done + 1, total);
    event.step += static_cast<int64_t>(done) * event.total;
    event.total *= static_cast<int64_t>(total);
    run.report(event);
  });
}

}  // namespace w2w
