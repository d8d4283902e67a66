#include "cli/files/picture_outputs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "w2w/base/error.h"
#include "w2w/engine/people_sheet.h"
#include "w2w/io/image.h"

namespace w2w::cli {

PictureOutputs::PictureOutputs(const SharedOptions& options, const SpaceDefaults& defaults,
                               Reporter& reporter)
    : shared_(options), reporter_(reporter), plan_(options.request(reporter.run()), defaults) {}

std::vector<PlannedOutput> PictureOutputs::planned(const std::string& stem) const {
  std::vector<PlannedOutput> outputs;
  for (size_t prompt = 1; prompt <= plan_.prompts().size(); ++prompt) {
    for (const auto seed : plan_.seeds())
      outputs.push_back(
          {"picture", stem, fmt::format("_p{}_s{}.png", prompt, seed), plan_.prompts()[prompt - 1]});
  }
  return outputs;
}

namespace {

/// What a sheet's metadata have as its prompt.
std::string all_prompts(const PicturePlan& plan) {
  return fmt::format("{}", fmt::join(plan.prompts(), "; "));
}

}  // namespace

PlannedOutput PictureOutputs::planned_sheet(const std::string& first, size_t people) const {
  if (people * plan_.size() > most_on_a_sheet) {
    throw Error(ErrorKind::usage,
                fmt::format("--sheet: a sheet shows at most {} pictures, found {}", most_on_a_sheet,
                            people * plan_.size()),
                "draw fewer people, prompts or seeds at once, or leave out --sheet");
  }
  return {"sheet", first, people > 1 ? fmt::format("_and_{}_more_sheet.png", people - 1) : "_sheet.png",
          all_prompts(plan_)};
}

void PictureOutputs::draw(Engine& engine, const Lora& lora, const Person& person,
                          std::span<const OutputPath> paths, size_t before, size_t total) const {
  std::vector<TextToImageOptions> missing;
  std::vector<const OutputPath*> outputs;
  const auto pictures = plan_.pictures();
  for (size_t i = 0; i < pictures.size(); ++i) {
    if (shared_.leaves(paths[i])) continue;
    missing.push_back(pictures[i]);
    outputs.push_back(&paths[i]);
  }
  engine.draw(
      lora, missing, reporter_.run(),
      [&](size_t i, const Picture& picture) { write(*outputs[i], picture, person); },
      before + pictures.size() - missing.size(), total);
}

std::vector<at::Tensor> PictureOutputs::draw_all(Engine& engine, const Lora& lora, const Person& person,
                                                 std::span<const OutputPath> paths, size_t before,
                                                 size_t total) const {
  std::vector<at::Tensor> drawn;
  engine.draw(
      lora, plan_.pictures(), reporter_.run(),
      [&](size_t i, const Picture& picture) {
        if (!paths.empty()) write(paths[i], picture, person);
        drawn.push_back(picture.pixels);
      },
      before, total);
  return drawn;
}

void PictureOutputs::write(const OutputPath& output, const Picture& picture, const Person& person) const {
  if (shared_.leaves(output)) return;
  const auto metadata =
      shared_.no_metadata
          ? Metadata()
          : picture_metadata(
                facts(person, picture.options, picture.model,
                      {{picture.options.prompt}, {picture.options.negative_prompt}, {picture.options.seed}}));
  auto more = person.facts;
  more["prompt"] = picture.options.prompt;
  more["seed"] = picture.options.seed;
  more["width"] = picture.pixels.size(1);
  more["height"] = picture.pixels.size(0);
  reporter_.output_later([output, pixels = picture.pixels, metadata,
                          run = &reporter_.run()] { write_image(output, pixels, metadata, *run); },
                         output.path, "picture", std::move(more));
}

void PictureOutputs::write_sheet(const OutputPath& output, const PictureSheet& sheet, const Engine& engine,
                                 const Person& maker) const {
  if (shared_.leaves(output)) return;
  const auto pixels = draw_sheet(sheet);
  auto made = maker;
  made.facts["prompt"] = all_prompts(plan_);
  const auto metadata =
      shared_.no_metadata ? Metadata()
                          : sheet_metadata(facts(made, engine.resolved(plan_.common()), engine.model_name(),
                                                 {plan_.prompts(), plan_.negative_prompts(), plan_.seeds()}));
  write_image(output, pixels, metadata, reporter_.run());
  auto more = maker.facts;
  more["width"] = pixels.size(1);
  more["height"] = pixels.size(0);
  reporter_.output(output.path, "sheet", std::move(more));
}

PictureSheet PeopleOnSheet::sheet(const PicturePlan& plan) const {
  std::vector<std::string> labels;
  for (size_t i = 0; i < plan.size(); ++i) labels.push_back(plan.label(i));
  return people_sheet(names, labels, pictures);
}

PictureFacts PictureOutputs::facts(const Person& person, const TextToImageOptions& picture,
                                   const std::string& model, const PromptsAndSeeds& drawn) const {
  PictureFacts facts{picture, model, person.arguments, json_text(person.facts)};
  for (const auto& words : {model_arguments(shared_), picture_arguments(picture, drawn)})
    facts.arguments.insert(facts.arguments.end(), words.begin(), words.end());
  return facts;
}

}  // namespace w2w::cli
