// w2w compare: how like people are, each two of them.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cli/app/app.h"
#include "cli/files/space_choice.h"
#include "cli/options/option_values.h"
#include "cli/terminal/reporter.h"
#include "cli/terminal/terminal.h"
#include "w2w/base/error.h"
#include "w2w/engine/import.h"
#include "w2w/engine/people.h"

namespace w2w::cli {
namespace {

struct CompareOptions {
  ModelOptions shared;
  std::vector<std::string> identities;
};

/// What people are called: their names, or paths where two have one name.
std::vector<std::string> labels_of(const std::vector<PersonFile>& people) {
  std::vector<std::string> names;
  for (const auto& person : people) names.push_back(person.person());
  if (std::set(names.begin(), names.end()).size() == names.size()) return names;
  std::transform(people.begin(), people.end(), names.begin(), [](const auto& person) { return person.path; });
  return names;
}

void run_compare(const CompareOptions& options, Reporter& reporter) {
  check_model_options(options.shared);
  const auto& run = reporter.run();
  const auto people = open_people(options.identities);
  if (people.size() < 2) {
    throw Error(ErrorKind::usage,
                fmt::format("compare takes two or more identities, found {}", people.size()),
                "w2w compare a.safetensors b.safetensors");
  }
  const bool coefficients_alone =
      std::all_of(people.begin(), people.end(), [](const auto& person) { return person.coefficients; });
  const auto space = open_space(options.shared, coefficients_alone, run);
  std::vector<Identity> identities;
  for (const auto& person : people) identities.push_back(coefficients_of(person, space, run));

  const auto labels = labels_of(people);
  size_t widest = 0;
  for (const auto& label : labels) widest = std::max(widest, display_width(label));
  auto list = Json::array();
  reporter.line("cosine  distance  per component  components  people");
  compare(space, identities, run, [&](const ComparedPair& pair) {
    const auto& [cosine, distance, components] = pair.comparison;
    const auto each = pair.comparison.distance_per_component();
    const auto& first = labels[pair.first];
    reporter.line(fmt::format("{:>6}  {:8.3f}  {:13.3f}  {:10}  {}{}  {}",
                              cosine ? fmt::format("{:.3f}", *cosine) : "-", distance, each, components,
                              first, std::string(widest - display_width(first), ' '), labels[pair.second]));
    list.push_back({{"a", people[pair.first].path},
                    {"b", people[pair.second].path},
                    {"cosine", cosine ? Json(*cosine) : Json()},
                    {"distance", distance},
                    {"distance_per_component", each},
                    {"components", components}});
  });
  reporter.field("pairs", list);
}

}  // namespace

void add_compare(App& app) {
  auto options = std::make_shared<CompareOptions>();
  auto& parser = app.add_command(
      {"compare",
       "how like people are: cosine similarity and distance",
       "A B...",
       {{"w2w compare person-7.safetensors person-8.safetensors", "two people"},
        {"w2w compare people/*.safetensors", "each two of several"},
        {"w2w compare people.safetensors:person-17 person-7_lora.safetensors",
         "one of a file of `sample --matrix` and a LoRA"}},
       "It prints cosine: of the deviations from the mean training model, 1 for the same direction, as "
       "`nearest` "
       "does; distance: in standard deviations of the training models, over all components together; per "
       "component: its root mean square, about 1.4 for two people drawn at random; components: how many were "
       "compared."},
      [options](Reporter& reporter) { run_compare(*options, reporter); });
  add_arguments(
      parser, "IDENTITY", options->identities,
      "coefficient files (.safetensors, .pt), LoRAs, PEFT folders; of a file of many people all, or "
      "FILE:NAME or FILE:ROW")
      ->required();
  add_model_option(parser, options->shared);
  add_space_option(parser, options->shared);
  add_unused_options(parser, options->shared);
}

}  // namespace w2w::cli
