#include "cli/files/people_list.h"

#include <fmt/format.h>

#include "cli/options/option_values.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

}  // namespace

std::string ListedPerson::state() const {
  return is_there(outputs.front()) ? "finished" : is_there(checkpoint) ? "unfinished" : "missing";
}

void add_list_option(CLI::App& parser, bool& list) {
  add_switch(parser, "--list", list,
             "only list the people, with the state of each (finished, unfinished, missing), number of "
             "pictures and output; nothing is opened, made or changed");
}

void list_people(const std::vector<ListedPerson>& people, Reporter& reporter) {
  auto list = Json::array();
  for (const auto& person : people) {
    const auto state = person.state();
    reporter.line(fmt::format("{}\t{}\t{}\t{}", person.name, state, person.pictures.size(),
                              person.outputs.front().string()));
    auto pictures = Json::array(), outputs = Json::array();
    for (const auto& picture : person.pictures) pictures.push_back(picture.string());
    for (const auto& output : person.outputs)
      outputs.push_back({{"path", output.string()}, {"exists", is_there(output)}});
    list.push_back({{"name", person.name}, {"state", state}, {"pictures", pictures}, {"outputs", outputs}});
  }
  reporter.field("people", list);
}

}  // namespace w2w::cli
