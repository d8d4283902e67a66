// w2w nearest: the training models, or other people, most like a person.

#include <fmt/format.h>

#include "cli/app/app.h"
#include "cli/files/picture_outputs.h"
#include "cli/files/space_choice.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"
#include "w2w/engine/import.h"
#include "w2w/engine/people.h"

namespace w2w::cli {
namespace {

struct NearestOptions {
  SharedOptions shared;
  std::string identity;
  std::optional<std::string> among;
  std::optional<int64_t> count;
};

/// Those whom a person is compared with: training models, or the people that --among names.
using Among = std::optional<std::vector<PersonFile>>;

void print(const std::vector<NamedNeighbour>& found, const Among& among, Reporter& reporter) {
  Json list = Json::array();
  reporter.line("rank  cosine  person");
  for (size_t i = 0; i < found.size(); ++i) {
    const auto& [name, neighbour] = found[i];
    reporter.line(fmt::format("{:4}  {:6.3f}  {}", i + 1, neighbour.cosine, name));
    Json entry = {{"rank", i + 1}, {"name", name}};
    if (among) {
      entry["path"] = (*among)[static_cast<size_t>(neighbour.row)].path;
    } else {
      entry["row"] = neighbour.row;
    }
    entry["cosine"] = neighbour.cosine;
    list.push_back(std::move(entry));
  }
  reporter.field("neighbours", list);
}

at::Tensor found_coefficients(const Neighbour& neighbour, const Among& among, const Space& space) {
  if (among) return (*among)[static_cast<size_t>(neighbour.row)].coefficients->coefficients;
  return space.data().projections[neighbour.row].to(at::kFloat);
}

/// The person and the neighbours side by side, a row for each prompt and seed.
void draw(const NearestOptions& options, const PictureOutputs& pictures, const OutputPath& path,
          const std::string& stem, const Identity& person, const std::vector<NamedNeighbour>& found,
          const Among& among, Engine engine, const Run& run) {
  engine.remark(pictures.plan(), {person.trigger}, run);
  const size_t each = pictures.plan().size();
  PictureSheet sheet;
  for (size_t i = 0; i < each; ++i) sheet.rows.push_back(pictures.plan().label(i));
  sheet.cells.resize(each);
  for (size_t column = 0; column <= found.size(); ++column) {
    run.check_stop();
    auto shown = person;
    sheet.columns.push_back(stem);
    if (column > 0) {
      const auto& [name, neighbour] = found[column - 1];
      sheet.columns.back() = fmt::format("{}\n{:.2f}", name, neighbour.cosine);
      shown.coefficients = found_coefficients(neighbour, among, engine.space());
    }
    const auto drawn =
        pictures.draw_all(engine, engine.lora(shown), {}, {}, column * each, (found.size() + 1) * each);
    for (size_t i = 0; i < each; ++i) sheet.cells[i].push_back(drawn[i]);
  }
  Person maker{stem,
               {"nearest", options.identity, "--count", std::to_string(found.size())},
               {{"identity", options.identity}}};
  if (options.among) maker.arguments.insert(maker.arguments.end(), {"--among", *options.among});
  pictures.write_sheet(path, sheet, engine, maker);
}

void run_nearest(const NearestOptions& options, Reporter& reporter) {
  check_shared_options(options.shared);
  const auto& run = reporter.run();
  const auto source = open_person(options.identity);
  Among among;
  if (options.among) among = open_coefficients(*options.among, run);
  const auto space = open_space(options.shared, source.coefficients && !options.shared.output, run);
  std::optional<PictureOutputs> pictures;
  OutputPlan outputs;
  if (options.shared.output) {
    pictures.emplace(options.shared, space.data().defaults, reporter);
    outputs.add({{"sheet", source.person(), "_nearest.png"}});
    outputs.settle(options.shared.output, options.shared.existing(), run);
  }
  const auto person = coefficients_of(source, space, run);
  const auto found =
      among ? nearest(space, person, *among, options.count, run) : nearest(space, person, options.count, run);
  print(found, among, reporter);
  if (!pictures || options.shared.leaves(outputs[0].at("sheet"))) return;
  draw(options, *pictures, outputs[0].at("sheet"), source.person(), person, found, among,
       open_engine(options.shared, space, run), run);
}

}  // namespace

void add_nearest(App& app) {
  auto options = std::make_shared<NearestOptions>();
  auto& parser = app.add_command({"nearest",
                                  "list the training models, or other people, most similar to a person",
                                  "IDENTITY",
                                  {{"w2w nearest person-7.safetensors", "the ten nearest, by cosine"},
                                   {"w2w nearest person-7_lora.safetensors --count 3 -s 5 -o nearest.png",
                                    "for a LoRA, with a contact sheet"},
                                   {"w2w nearest person-7.safetensors --among people",
                                    "among the people in a folder, or in a file of many"},
                                   {"w2w nearest person-7.safetensors --json", "for scripts"}}},
                                 [options](Reporter& reporter) {
                                   if (options->identity.empty()) {
                                     throw Error(ErrorKind::usage, "nearest takes one identity",
                                                 "w2w nearest person.safetensors");
                                   }
                                   run_nearest(*options, reporter);
                                 });
  add_text(parser, "IDENTITY", options->identity, "",
           "coefficient file (.safetensors, .pt), LoRA file, or PEFT folder; one of a file of many people is "
           "FILE:NAME or FILE:ROW");
  add_text(
      parser, "--among", options->among, "PATH",
      "compare with other people than the training models: a folder of coefficient files, or a file of many "
      "people (`sample --matrix`)");
  add_integer(parser, "--count", options->count, {1, 1'000'000'000}, "how many neighbours; default: 10");
  add_drawing_options(parser, options->shared);
  parser.get_option("--output")
      ->description(
          "contact sheet of the person and the neighbours: a file, or a folder to put NAME_nearest.png "
          "into");
}

}  // namespace w2w::cli
