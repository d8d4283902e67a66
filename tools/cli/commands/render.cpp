// w2w render: pictures of people who were made before.

#include <algorithm>

#include "cli/app/app.h"
#include "cli/files/locate.h"
#include "cli/files/picture_outputs.h"
#include "cli/files/space_choice.h"
#include "cli/options/option_values.h"

namespace w2w::cli {
namespace {

struct RenderOptions {
  SharedOptions shared;
  std::vector<std::string> identities;
  bool sheet = false;
};

/// The command, for the sheet.
Person maker_of(const RenderOptions& options) {
  Person maker{"", {"render"}, {{"identities", options.identities}}};
  maker.arguments.insert(maker.arguments.end(), options.identities.begin(), options.identities.end());
  maker.arguments.emplace_back("--sheet");
  return maker;
}

void run_render(const RenderOptions& options, Reporter& reporter) {
  check_shared_options(options.shared);
  const auto& run = reporter.run();
  const auto people = open_people(options.identities);
  const bool needs_space =
      std::any_of(people.begin(), people.end(), [](const auto& person) { return person.coefficients; });

  std::optional<Space> space;
  if (needs_space || options.shared.space)
    space = Space::open(locate_space(options.shared.space, run), nullptr, run);
  for (const auto& person : people) {
    if (person.coefficients) check_identity_fits(*person.coefficients, *space, person.path);
  }
  const PictureOutputs pictures(options.shared, space ? space->data().defaults : SpaceDefaults(), reporter);
  OutputPlan outputs;
  for (const auto& person : people) outputs.add(pictures.planned(person.stem));
  if (options.sheet) outputs.add({pictures.planned_sheet(people.front().stem, people.size())});
  outputs.settle(options.shared.output, options.shared.existing(), run);

  auto engine = open_engine(options.shared, std::move(space), run);
  std::vector<std::string> triggers;
  for (const auto& person : people) triggers.push_back(trigger_of(person));
  engine.remark(pictures.plan(), triggers, run);
  const size_t each = pictures.plan().size();
  const OutputPath* sheet = options.sheet ? &outputs[people.size()].at("sheet") : nullptr;
  if (sheet && options.shared.leaves(*sheet)) sheet = nullptr;
  PeopleOnSheet on_sheet;
  for (size_t i = 0; i < people.size(); ++i) {
    run.check_stop();
    const auto& [path, stem, coefficients, bytes] = people[i];
    const auto lora = engine.lora(people[i]);
    const Person person{stem, {"render", path}, {{"identity", path}}};
    const size_t before = i * each, total = people.size() * each;
    if (sheet)
      on_sheet.add(stem, pictures.draw_all(engine, lora, person, outputs[i].all(), before, total));
    else
      pictures.draw(engine, lora, person, outputs[i].all(), before, total);
  }
  if (sheet) pictures.write_sheet(*sheet, on_sheet.sheet(pictures.plan()), engine, maker_of(options));
}

}  // namespace

void add_render(App& app) {
  auto options = std::make_shared<RenderOptions>();
  auto& parser = app.add_command(
      {"render",
       "draw pictures of saved people",
       "IDENTITY...",
       {{"w2w render person-7.safetensors", "a picture of person 7"},
        {"w2w render person-*.safetensors -p 'sks person in the snow' -p 'sks person at night' -s 5 --sheet "
         "-o scenes",
         "all of them in two scenes, also beside each other on one sheet"},
        {"w2w render people.safetensors:person-17", "one of the people in a file of `sample --matrix`"},
        {"w2w render lora.safetensors -m stablediffusionapi/realistic-vision-v51",
         "a LoRA file on the real model"},
        {"w2w render person-7.safetensors --sampler 'DPM++ 2M Karras' --steps 25", "with another sampler"}}},
      [options](Reporter& reporter) { run_render(*options, reporter); });
  add_arguments(
      parser, "IDENTITY", options->identities,
      "coefficient file (.safetensors, .pt), LoRA file, or PEFT folder; of a file of many people all, or "
      "FILE:NAME or FILE:ROW")
      ->required();
  add_sheet_option(parser, options->sheet);
  add_drawing_options(parser, options->shared);
}

}  // namespace w2w::cli
