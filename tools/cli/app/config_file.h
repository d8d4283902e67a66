#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "w2w/base/run.h"

namespace w2w::cli {

/// One `key = value` of a configuration file; an array has several values.
struct ConfigEntry {
  std::string section;  ///< "space.build" of [space.build], of `space = {build = {...}}`, ...; or empty
  std::string key;
  std::vector<std::string> values;
  int line = 0, column = 0;  ///< of the key; columns are characters from 1
};

/// The settings of a TOML file in its order: text, numbers, true, false and lists of these. Error(not_found)
/// when there is no such file; Error(malformed) with line, column and the line itself for what is no TOML and
/// for dates, lists within lists and tables within lists.
std::vector<ConfigEntry> read_config_file(const std::filesystem::path& path, const Run& run = {});
std::vector<ConfigEntry> parse_config(const std::string& text, const std::string& path);

}  // namespace w2w::cli
