#include "w2w/engine/engine.h"

#include <ATen/ops/stack.h>

#include <set>

#include "w2w/base/error.h"
#include "w2w/lora/formats.h"
#include "w2w/lora/target.h"

namespace w2w {

Engine::Engine(Checkpoint checkpoint, std::optional<Space> space, at::TensorOptions options, const Run& run)
    : model_(std::move(checkpoint), options, run), space_(std::move(space)) {
  if (!space_) return;
  try {
    space_->bind(w2w::linear_layers(model_.checkpoint().part("unet")), run);
  } catch (const Error&) {
    model_.linear_layers();  // throws where the model is the one at fault: files of it are missing
    throw;
  }
}

const Space& Engine::space() const {
  if (space_) return *space_;
  throw Error(ErrorKind::failure, "coefficients mean nothing without a space", "give one as <space>");
}

Lora Engine::lora(const PersonFile& person) {
  if (!person.coefficients) return read_lora(person.path, model_.linear_layers());
  check_identity_fits(*person.coefficients, space(), person.path);
  return lora(*person.coefficients);
}

void Engine::remark(const PicturePlan& plan, const std::vector<std::string>& triggers, const Run& run) {
  remark_triggers(plan, triggers, run);
  remark_size(model_.picture_size({}), model_.picture_size(plan.common()), run);
  std::set<std::string> seen;
  const auto& common = plan.common();
  const auto look_at = [&](const std::string& prompt) {
    if (!seen.insert(prompt).second) return;
    for (const auto& remark : model_.remarks(prompt, common.prompt_weights)) run.warn(remark);
  };
  for (size_t i = 0; i < plan.prompts().size(); ++i) {
    look_at(plan.prompts()[i]);
    if (common.guided()) look_at(plan.negative_prompts()[i]);
  }
}

TextToImageOptions Engine::resolved(TextToImageOptions options) const {
  std::tie(options.width, options.height) = model_.picture_size(options);
  options.sampler = model_.sampler(options);
  return options;
}

void Engine::draw(const Lora& person, std::span<const TextToImageOptions> pictures, const Run& run,
                  const std::function<void(size_t, Picture)>& drawn, size_t before, size_t total) {
  model_.set_person(person);
  total = std::max(total, before + pictures.size());
  for (size_t i = 0; i < pictures.size(); ++i) {
    const auto part = one_picture_of(run, before + i, total);
    drawn(i, {model_.run(pictures[i], part), resolved(pictures[i]), model_name()});
  }
}

Picture Engine::draw(const Lora& person, const TextToImageOptions& picture, const Run& run) {
  model_.set_person(person);
  return {model_.run(picture, run), resolved(picture), model_name()};
}

std::vector<Picture> Engine::draw_together(std::span<const Identity> people,
                                           const TextToImageOptions& picture, const Run& run) {
  std::vector<at::Tensor> thetas;
  for (const auto& person : people) thetas.push_back(space().theta(person.coefficients));
  std::vector<Picture> pictures;
  for (auto& pixels : model_.run_together(at::stack(thetas), space().layout(), picture, run))
    pictures.push_back({std::move(pixels), resolved(picture), model_name()});
  return pictures;
}

std::vector<Picture> Engine::draw_edits(const Lora& original, const std::vector<Lora>& edits,
                                        const TextToImageOptions& picture, const EditingOptions& options,
                                        const Run& run) {
  auto drawn = w2w::draw_edits(model_, original, edits, picture, options, run);
  std::vector<Picture> pictures = {{std::move(drawn.original), resolved(picture), model_name()}};
  for (auto& pixels : drawn.edited) pictures.push_back({std::move(pixels), resolved(picture), model_name()});
  return pictures;
}

}  // namespace w2w
