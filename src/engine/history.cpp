#include "engine/history.h"

#include "io/json_file.h"

namespace w2w {

Json history_list(const std::string& history, const Run& run) {
  if (!is_json_too_deep(history)) {
    auto list = Json::parse(history, nullptr, /*allow_exceptions=*/false);
    if (list.is_array()) return list;
  }
  run.warn("the identity's history is not a JSON list and is left out");
  return Json::array();
}

std::string longer_history(const std::string& history, const Json& entry, const Run& run) {
  auto list = history_list(history, run);
  list.push_back(entry);
  return json_text(list);
}

std::string new_history(const Json& entry) { return json_text(Json::array({entry})); }

}  // namespace w2w
