#include "cli/commands/history.h"

#include "w2w/base/log.h"

namespace w2w::cli {

Json history_list(const std::string& history) {
  auto list = parse_json(history);
  if (list.is_array()) return list;
  warn("the identity's history is not a JSON list and is left out");
  return Json::array();
}

std::string longer_history(const std::string& history, const Json& entry) {
  auto list = history_list(history);
  list.push_back(entry);
  return json_text(list);
}

}  // namespace w2w::cli
