#pragma once
// Internal to the library's .cpp files, so that nlohmann's headers stay out of the public ones.

#include <filesystem>
#include <nlohmann/json.hpp>

namespace w2w {

/// The object in a JSON file. Error(not_found) without the file, Error(malformed) with the parser's reason
/// otherwise.
nlohmann::json read_json_object(const std::filesystem::path& path);

/// JSON as text, `indent` as in dump(). Names from paths are bytes: what is not UTF-8 becomes U+FFFD.
template <class Json>
std::string json_text(const Json& value, int indent = -1) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

/// What nlohmann says, without its "[json.exception.parse_error.101] ".
std::string json_reason(const nlohmann::json::exception& error);

}  // namespace w2w
