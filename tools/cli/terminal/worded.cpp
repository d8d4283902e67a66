#include "cli/terminal/worded.h"

#include <map>
#include <set>
#include <string_view>

namespace w2w::cli {
namespace {

/// Of a setting or an action; empty for anything else.
std::string word_of(std::string_view control) {
  static const std::map<std::string_view, std::string> special = {
      {"output", "-o"}, {"size", "-W, -H"}, {"threads", "-t"}, {"verify", "`w2w space verify`"}};
  static const std::set<std::string_view> actions = {"export", "import", "inspect", "nearest", "render"};
  static const std::set<std::string_view> settings = {
      "batch",       "components", "device",   "directions",   "dtype",   "fit",        "force",   "labels",
      "mask-labels", "method",     "model",    "names",        "partial", "rank",       "resume",  "ridge",
      "space",       "targets",    "together", "text-encoder", "vae",     "vae-tiling", "weights", "without"};
  if (const auto found = special.find(control); found != special.end()) return found->second;
  if (actions.contains(control)) return "`w2w " + std::string(control) + "`";
  return settings.contains(control) ? "--" + std::string(control) : "";
}

}  // namespace

std::string worded(const std::string& hint) {
  std::string text;
  std::string_view rest = hint;
  while (true) {
    const auto open = rest.find('<');
    const auto close = rest.find('>', open);
    if (open == rest.npos || close == rest.npos) return text.append(rest);
    const auto word = word_of(rest.substr(open + 1, close - open - 1));
    text.append(rest.substr(0, open));
    text += word.empty() ? "<" : word;
    rest.remove_prefix(word.empty() ? open + 1 : close + 1);
  }
}

}  // namespace w2w::cli
