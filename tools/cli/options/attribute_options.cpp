#include "cli/options/attribute_options.h"

#include <fmt/format.h>

#include "cli/options/option_values.h"
#include "w2w/base/error.h"

namespace w2w::cli {

void add_attribute_options(CLI::App& parser, AttributeChoice& choice) {
  add_text(parser, "--labels", choice.labels, "FILE",
           "attributes of the training models: CSV or identity_df.pt (default: the space's own)");
  add_text(parser, "--directions", choice.directions, "FILE",
           "directions.safetensors instead of labels (default: the space's own, if it has one)");
  add_integer(parser, "--components", choice.components, {1, 1'000'000},
              "principal components a direction may use (default: 1000, or all the space has)");
}

void check_attribute_options(const AttributeChoice& choice) {
  if (choice.directions && (choice.labels || choice.components)) {
    throw Error(ErrorKind::usage, fmt::format("--directions and {} are mutually exclusive",
                                              choice.labels ? "--labels" : "--components"));
  }
}

std::vector<std::string> attribute_arguments(const AttributeChoice& choice) {
  std::vector<std::string> words;
  if (choice.labels) words.insert(words.end(), {"--labels", *choice.labels});
  if (choice.directions) words.insert(words.end(), {"--directions", *choice.directions});
  if (choice.components) words.insert(words.end(), {"--components", std::to_string(*choice.components)});
  return words;
}

}  // namespace w2w::cli
