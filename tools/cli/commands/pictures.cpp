#include "cli/commands/pictures.h"

#include <fmt/format.h>

#include "cli/files/locate.h"
#include "cli/options/seeds.h"
#include "w2w/device/device.h"
#include "w2w/io/image.h"

namespace w2w::cli {

TextToImage open_model(const SharedOptions& options) {
  const auto device = parse_device(options.device);
  const auto dtype = parse_dtype(options.dtype, device);
  return TextToImage(open_checkpoint(options), at::TensorOptions(dtype).device(device));
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

std::vector<TextToImageOptions> PictureJob::pictures() const {
  std::vector<TextToImageOptions> all;
  for (size_t prompt = 0; prompt < prompts_.size(); ++prompt) {
    for (const auto seed : seeds_) {
      all.push_back(base_);
      all.back().prompt = prompts_[prompt];
      all.back().negative_prompt = negative_prompts_[prompt];
      all.back().seed = seed;
    }
  }
  return all;
}

std::string PictureJob::label(size_t index) const {
  const auto seed = fmt::format("seed {}", seeds_[index % seeds_.size()]);
  return prompts_.size() > 1 ? prompts_[index / seeds_.size()] + "\n" + seed : seed;
}

std::vector<at::Tensor> PictureJob::draw(TextToImage& model, const Person& person,
                                         std::span<const OutputPath> paths, Reporter& reporter, size_t index,
                                         size_t persons, bool draw_all) const {
  const size_t total = persons * pictures_per_person();
  size_t done = index * pictures_per_person();
  auto bar = reporter.progress();
  std::vector<at::Tensor> drawn;
  for (const auto& options : pictures()) {
    if (!draw_all && !paths.empty() && shared_.leaves(paths[drawn.size()])) {
      drawn.emplace_back();
      ++done;
      continue;
    }
    const auto pixels = model.run(options, [&](ProgressEvent event) {
      event.what = fmt::format("picture {} of {}", done + 1, total);
      event.step += static_cast<int64_t>(done) * event.total;
      event.total *= static_cast<int64_t>(total);
      report(bar, event);
    });
    if (!paths.empty()) write(paths[drawn.size()], pixels, model, person, options, reporter);
    drawn.push_back(pixels);
    ++done;
  }
  return drawn;
}

void PictureJob::write(const OutputPath& output, const at::Tensor& pixels, const TextToImage& model,
                       const Person& person, const TextToImageOptions& picture, Reporter& reporter) const {
  if (shared_.leaves(output)) return;
  const auto metadata = shared_.no_metadata ? Metadata() : picture_metadata(facts(model, person, picture));
  auto more = person.facts;
  more["prompt"] = picture.prompt;
  more["seed"] = picture.seed;
  more["width"] = pixels.size(1);
  more["height"] = pixels.size(0);
  reporter.output_later([=] { write_image(output, pixels, metadata); }, output.path, "picture",
                        std::move(more));
}

void PictureJob::write_sheet(const OutputPath& output, const at::Tensor& pixels, const TextToImage& model,
                             const Person& maker, Reporter& reporter) const {
  if (shared_.leaves(output)) return;
  const SheetFacts sheet{facts(model, maker, base_), prompts_, negative_prompts_, seeds_};
  write_image(output, pixels, shared_.no_metadata ? Metadata() : sheet_metadata(sheet));
  auto more = maker.facts;
  more["width"] = pixels.size(1);
  more["height"] = pixels.size(0);
  reporter.output(output.path, "sheet", std::move(more));
}

PictureFacts PictureJob::facts(const TextToImage& model, const Person& person,
                               const TextToImageOptions& options) const {
  PictureFacts facts;
  facts.options = options;
  std::tie(facts.options.width, facts.options.height) = model.picture_size(options);
  facts.options.sampler = model.sampler(options);
  facts.model = model.checkpoint().path().filename().string();
  facts.arguments = person.arguments;
  facts.more = person.facts;
  if (shared_.model) facts.arguments.insert(facts.arguments.end(), {"--model", *shared_.model});
  if (shared_.vae) facts.arguments.insert(facts.arguments.end(), {"--vae", *shared_.vae});
  if (shared_.text_encoder)
    facts.arguments.insert(facts.arguments.end(), {"--text-encoder", *shared_.text_encoder});
  if (shared_.space) facts.arguments.insert(facts.arguments.end(), {"--space", *shared_.space});
  if (shared_.dtype != "auto") facts.arguments.insert(facts.arguments.end(), {"--dtype", shared_.dtype});
  return facts;
}

}  // namespace w2w::cli
