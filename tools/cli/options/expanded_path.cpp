#include "cli/options/expanded_path.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>

namespace w2w::cli {
namespace {

std::optional<std::string> home_of(const std::string& user) {
  const char* home = user.empty() ? std::getenv("HOME") : nullptr;
  if (home) return home;
  const auto* entry = user.empty() ? getpwuid(getuid()) : getpwnam(user.c_str());
  return entry ? std::optional<std::string>(entry->pw_dir) : std::nullopt;
}

std::string with_home(const std::string& path) {
  if (!path.starts_with('~')) return path;
  const auto end = std::min(path.find('/'), path.size());
  auto home = home_of(path.substr(1, end - 1));
  if (!home) return path;
  while (home->ends_with('/')) home->pop_back();
  const auto whole = *home + path.substr(end);
  return whole.empty() ? "/" : whole;
}

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

}  // namespace

std::string expanded_path(const std::string& given) {
  const auto path = with_home(given);
  std::string result;
  for (size_t at = 0; at < path.size();) {
    size_t end = at + 1;  // of what is looked at
    std::string name;
    if (path[at] == '$' && path.substr(at, 2) == "${") {
      const auto close = path.find('}', at);
      if (close != path.npos) end = close + 1, name = path.substr(at + 2, close - at - 2);
    } else if (path[at] == '$') {
      while (end < path.size() && is_name(path[end])) ++end;
      name = path.substr(at + 1, end - at - 1);
    }
    const char* value = name.empty() ? nullptr : std::getenv(name.c_str());
    result += value ? value : path.substr(at, end - at);
    at = end;
  }
  return result;
}

}  // namespace w2w::cli
