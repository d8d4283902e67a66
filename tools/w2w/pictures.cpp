#include "w2w/pictures.h"

#include <fmt/format.h>

#include "w2w/base/device.h"
#include "w2w/io/image.h"
#include "w2w/locate.h"
#include "w2w/picture_metadata.h"
#include "w2w/seeds.h"

namespace w2w::cli {

TextToImage open_model(const SharedOptions& options) {
  const auto dtype = parse_dtype(options.dtype, parse_device(options.device));
  return TextToImage(Checkpoint::open(locate_model(options.model), options.tokenizer.value_or("")), dtype);
}

PictureJob::PictureJob(const SharedOptions& options, const SpaceDefaults& defaults)
    : shared_(options), prompts_(options.prompts), seeds_(parse_seeds(options.seed)) {
  if (prompts_.empty()) prompts_ = {defaults.prompt};
  for (size_t i = 0; i < prompts_.size(); ++i) {
    negative_prompts_.push_back(options.negative_prompts.empty() ? defaults.negative_prompt
                                                                 : options.negative_prompt(i));
  }
  base_.steps = options.steps.value_or(defaults.steps);
  base_.cfg_scale = options.cfg_scale.value_or(defaults.cfg_scale);
  base_.width = options.width.value_or(defaults.width);
  base_.height = options.height.value_or(defaults.height);
  base_.clip_skip = options.clip_skip.value_or(1);
  base_.noise = options.noise_source();
  base_.prompt_weights = options.prompt_weights;
  base_.tiled_decode = options.vae_tiling;
  if (options.sampler || options.schedule) {
    base_.sampler = parse_sampler(options.sampler.value_or(""), options.schedule.value_or(""));
  }
  base_.check();
}

std::vector<PlannedOutput> PictureJob::planned(const std::string& stem) const {
  std::vector<PlannedOutput> outputs;
  for (size_t prompt = 1; prompt <= prompts_.size(); ++prompt) {
    for (const auto seed : seeds_)
      outputs.push_back({"picture", stem, fmt::format("_p{}_s{}.png", prompt, seed)});
  }
  return outputs;
}

TextToImageOptions PictureJob::picture(size_t prompt, size_t seed) const {
  auto options = base_;
  options.prompt = prompts_[prompt];
  options.negative_prompt = negative_prompts_[prompt];
  options.seed = seeds_[seed];
  return options;
}

void PictureJob::draw(TextToImage& model, const Person& person,
                      const std::vector<std::filesystem::path>& paths, Reporter& reporter, size_t index,
                      size_t persons) const {
  const size_t total = persons * pictures_per_person();
  size_t done = index * pictures_per_person();
  auto bar = reporter.progress();
  for (size_t prompt = 0, at = 0; prompt < prompts_.size(); ++prompt) {
    for (size_t seed = 0; seed < seeds_.size(); ++seed, ++at, ++done) {
      const auto options = picture(prompt, seed);
      const auto pixels = model.run(options, [&](ProgressEvent event) {
        event.what = fmt::format("picture {} of {}", done + 1, total);
        event.step += static_cast<int>(done) * event.total;
        event.total *= static_cast<int>(total);
        report(bar, event);
      });
      write_image(paths[at], pixels, shared_.no_metadata ? Metadata() : metadata(model, person, options));
      auto facts = person.facts;
      facts["prompt"] = options.prompt;
      facts["seed"] = options.seed;
      facts["width"] = pixels.size(1);
      facts["height"] = pixels.size(0);
      reporter.output(paths[at], "picture", std::move(facts));
    }
  }
}

Metadata PictureJob::metadata(const TextToImage& model, const Person& person,
                              const TextToImageOptions& options) const {
  PictureFacts facts;
  facts.options = options;
  std::tie(facts.options.width, facts.options.height) = model.picture_size(options);
  facts.options.sampler = model.sampler(options);
  facts.model = model.checkpoint().path().filename().string();
  facts.arguments = person.arguments;
  facts.more = person.facts;
  if (shared_.model) facts.arguments.insert(facts.arguments.end(), {"--model", *shared_.model});
  if (shared_.space) facts.arguments.insert(facts.arguments.end(), {"--space", *shared_.space});
  if (shared_.dtype != "auto") facts.arguments.insert(facts.arguments.end(), {"--dtype", shared_.dtype});
  return picture_metadata(facts);
}

}  // namespace w2w::cli
