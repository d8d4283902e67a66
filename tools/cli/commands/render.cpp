// w2w render: pictures of people who were made before.

#include <algorithm>

#include "cli/app/app.h"
#include "cli/commands/identity_source.h"
#include "cli/commands/pictures.h"
#include "cli/files/locate.h"
#include "cli/files/space_choice.h"
#include "cli/options/option_values.h"
#include "w2w/lora/formats.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

struct RenderOptions {
  SharedOptions shared;
  std::vector<std::string> identities;
};

Person person_of(const IdentitySource& source) {
  return {source.stem, {"render", source.path}, {{"identity", source.path}}};
}

void run_render(const RenderOptions& options, Reporter& reporter) {
  check_shared_options(options.shared);
  std::vector<IdentitySource> sources;
  for (const auto& path : options.identities) sources.push_back(open_identity(path));
  const bool needs_space =
      std::any_of(sources.begin(), sources.end(), [](const auto& s) { return s.coefficients; });

  std::optional<Space> space;
  fs::path space_path;
  if (needs_space || options.shared.space) {
    space_path = locate_space(options.shared.space);
    space = Space::open(space_path);
  }
  for (const auto& source : sources) {
    if (source.coefficients) check_identity_fits(*source.coefficients, *space, source.path);
  }
  const PictureJob job(options.shared, space ? space->data().defaults : SpaceDefaults());
  std::vector<PlannedOutput> planned;
  for (const auto& source : sources) {
    for (auto& picture : job.planned(source.stem)) planned.push_back(std::move(picture));
  }
  const auto paths = plan_outputs(options.shared.output, planned, options.shared.existing());

  auto model = open_model(options.shared);
  if (space) space = open_space_of(model, space_path);
  const auto each = static_cast<std::ptrdiff_t>(job.pictures_per_person());
  for (size_t i = 0; i < sources.size(); ++i) {
    check_interrupt();
    const auto& source = sources[i];
    model.set_person(source.coefficients ? space->lora(source.coefficients->coefficients)
                                         : read_lora(source.path, model.linear_layers()));
    const auto first = paths.begin() + static_cast<std::ptrdiff_t>(i) * each;
    job.draw(model, person_of(source), {first, first + each}, reporter, i, sources.size());
  }
}

}  // namespace

void add_render(App& app) {
  auto options = std::make_shared<RenderOptions>();
  auto& parser = app.add_command(
      {"render",
       "pictures of people made before",
       "IDENTITY...",
       {{"w2w render person-7.safetensors", "a picture of person 7"},
        {"w2w render person-*.safetensors -p 'sks person in the snow' -s 5", "everybody in the same scene"},
        {"w2w render lora.safetensors -m stablediffusionapi/realistic-vision-v51",
         "a LoRA file on the real model"},
        {"w2w render person-7.safetensors --sampler 'DPM++ 2M Karras' --steps 25", "with another sampler"}}},
      [options](Reporter& reporter) { run_render(*options, reporter); });
  add_arguments(parser, "IDENTITY", options->identities,
                "coefficient file (.safetensors, .pt), LoRA file, or PEFT folder")
      ->required();
  add_drawing_options(parser, options->shared);
}

}  // namespace w2w::cli
