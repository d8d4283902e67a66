#include "w2w/pipeline/editing.h"

#include <fmt/format.h>

#include <algorithm>

#include "w2w/base/error.h"

namespace w2w {
namespace {

/// The first step at or below `inject_at`; timesteps never rise, but may repeat.
size_t first_edited_step(const std::vector<double>& timesteps, double inject_at) {
  const auto at = std::find_if(timesteps.begin(), timesteps.end(), [&](double t) { return t <= inject_at; });
  return static_cast<size_t>(at - timesteps.begin());
}

}  // namespace

void EditingOptions::check() const {
  if (inject_at >= 0 && inject_at <= 1000) return;
  throw Error(ErrorKind::usage,
              fmt::format("the injection timestep must be 0 to 1000 (the whole run), found {}", inject_at));
}

EditedPictures draw_edits(TextToImage& model, const Lora& original, const std::vector<Lora>& edits,
                          const TextToImageOptions& picture, const EditingOptions& options, const Run& run) {
  options.check();
  auto common = model.start(picture);
  const size_t all = common.steps();
  const size_t shared = first_edited_step(common.scheduler->timesteps(), options.inject_at);
  size_t before = 0;  // steps of the walks that are over, less what they share
  const auto total = static_cast<int64_t>(shared + (edits.size() + 1) * (all - shared));
  const Run overall = run.with_progress([&](const ProgressEvent& event) {
    run.report({"editing", static_cast<int64_t>(before) + event.step, total, {}});
  });

  model.set_person(original);
  model.advance(common, shared, overall);
  EditedPictures pictures;
  const auto finish = [&](const Lora& person) {
    auto denoising = common.fork();
    model.set_person(person);
    model.advance(denoising, all, overall);
    before += all - shared;
    return model.decode(denoising.latents, picture.tiled_decode);
  };
  for (const auto& edit : edits) pictures.edited.push_back(finish(edit));
  pictures.original = finish(original);
  return pictures;
}

}  // namespace w2w
