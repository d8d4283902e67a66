#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace w2w::cli {

/// One `key = value` of a configuration file; an array has several values.
struct ConfigEntry {
  std::string section;  ///< of the nearest [section] above, or empty
  std::string key;
  std::vector<std::string> values;
  int line = 0;
};

/// The part of TOML that settings need: [section], key = "string" | 'string' | number | true | false |
/// [array], # comments. (CLI11's reader cuts strings at # and commas and takes any line for a setting.)
/// Error(not_found) when there is no such file, Error(malformed) naming the line otherwise.
std::vector<ConfigEntry> read_config_file(const std::filesystem::path& path);
std::vector<ConfigEntry> parse_config(const std::string& text, const std::string& path);

}  // namespace w2w::cli
