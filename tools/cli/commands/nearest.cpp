// w2w nearest: the training models most like a person.

#include <fmt/format.h>

#include "cli/app/app.h"
#include "cli/commands/import_lora.h"
#include "cli/commands/pictures.h"
#include "cli/files/space_choice.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"
#include "w2w/io/picture_sheet.h"
#include "w2w/space/labels.h"
#include "w2w/space/neighbours.h"

namespace w2w::cli {
namespace {

struct NearestOptions {
  SharedOptions shared;
  std::string identity;
  std::optional<int64_t> count;
};

constexpr int64_t default_count = 10;

struct Named {
  std::string name;
  Neighbour neighbour;
};

std::vector<Named> find(const NearestOptions& options, const Space& space, const Identity& person) {
  const auto& projections = space.data().projections;
  const auto models = projections.defined() ? projections.size(0) : default_count;
  const auto found =
      nearest_models(space, person.coefficients,
                     options.count.value_or(std::min(default_count, std::max<int64_t>(1, models))));
  const auto names = training_names(space);
  std::vector<Named> named;
  for (const auto& neighbour : found) {
    const auto row = static_cast<size_t>(neighbour.row);
    named.push_back({names.empty() ? fmt::format("row {}", row) : names[row], neighbour});
  }
  return named;
}

void print(const std::vector<Named>& found, Reporter& reporter) {
  Json list = Json::array();
  reporter.line("rank  cosine  person");
  for (size_t i = 0; i < found.size(); ++i) {
    const auto& [name, neighbour] = found[i];
    reporter.line(fmt::format("{:4}  {:6.3f}  {}", i + 1, neighbour.cosine, name));
    list.push_back({{"rank", i + 1}, {"name", name}, {"row", neighbour.row}, {"cosine", neighbour.cosine}});
  }
  reporter.field("neighbours", list);
}

/// The person and the neighbours side by side, a row for each prompt and seed.
void draw(const NearestOptions& options, const PictureJob& job, const OutputPath& path,
          const std::string& stem, const Identity& person, const std::vector<Named>& found,
          const Space& unfitted, Reporter& reporter) {
  auto model = open_model(options.shared);
  const auto space = open_space_of(model, unfitted.origin());
  PictureSheet sheet;
  sheet.columns.push_back(stem);
  for (const auto& [name, neighbour] : found)
    sheet.columns.push_back(fmt::format("{}\n{:.2f}", name, neighbour.cosine));
  for (size_t i = 0; i < job.pictures_per_person(); ++i) sheet.rows.push_back(job.label(i));
  sheet.cells.resize(job.pictures_per_person());
  for (size_t column = 0; column <= found.size(); ++column) {
    check_interrupt();
    const auto coefficients = column == 0
                                  ? person.coefficients
                                  : space.data().projections[found[column - 1].neighbour.row].to(at::kFloat);
    model.set_person(space.lora(coefficients));
    const auto drawn = job.draw(model, {}, {}, reporter, column, found.size() + 1);
    for (size_t i = 0; i < drawn.size(); ++i) sheet.cells[i].push_back(drawn[i]);
  }
  const Person maker{stem,
                     {"nearest", options.identity, "--count", std::to_string(found.size())},
                     {{"identity", options.identity}}};
  job.write_sheet(path, draw_sheet(sheet), model, maker, reporter);
}

void run_nearest(const NearestOptions& options, Reporter& reporter) {
  check_shared_options(options.shared);
  const auto source = open_identity(options.identity);
  const auto space = open_space(options.shared, source.coefficients && !options.shared.output);
  std::optional<PictureJob> job;
  std::vector<OutputPath> paths;
  if (options.shared.output) {
    job.emplace(options.shared, space.data().defaults);
    paths = plan_outputs(options.shared.output, {{"sheet", source.person(), "_nearest.png"}},
                         options.shared.existing());
  }
  const auto person = coefficients_of(source, space, reporter.progress());
  const auto found = find(options, space, person);
  print(found, reporter);
  if (job && !options.shared.leaves(paths.front()))
    draw(options, *job, paths.front(), source.person(), person, found, space, reporter);
}

}  // namespace

void add_nearest(App& app) {
  auto options = std::make_shared<NearestOptions>();
  auto& parser = app.add_command({"nearest",
                                  "the training people most like a person",
                                  "IDENTITY",
                                  {{"w2w nearest person-7.safetensors", "the ten nearest, by cosine"},
                                   {"w2w nearest me_lora.safetensors --count 3 -s 5 -o nearest.png",
                                    "of a LoRA, with a picture of them all"},
                                   {"w2w nearest person-7.safetensors --json", "for scripts"}}},
                                 [options](Reporter& reporter) {
                                   if (options->identity.empty()) {
                                     throw Error(ErrorKind::usage, "nearest takes one identity",
                                                 "w2w nearest person.safetensors");
                                   }
                                   run_nearest(*options, reporter);
                                 });
  add_text(parser, "IDENTITY", options->identity, "",
           "coefficient file (.safetensors, .pt), LoRA file, or PEFT folder");
  add_integer(parser, "--count", options->count, {1, 1'000'000'000}, "how many neighbours; default: 10");
  add_drawing_options(parser, options->shared);
  parser.get_option("--output")
      ->description(
          "draw the person and the neighbours on one sheet: the file, or a folder to put NAME_nearest.png "
          "into");
}

}  // namespace w2w::cli
