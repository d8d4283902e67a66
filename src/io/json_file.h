#pragma once
// Internal to the library's .cpp files, so that nlohmann's headers stay out of the public ones.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "w2w/io/json_depth.h"

namespace w2w {

/// The object in a JSON file. Error(not_found) without the file, Error(malformed) with the parser's reason
/// otherwise.
nlohmann::json read_json_object(const std::filesystem::path& path);

/// What parse_json throws, as an error of the JSON library.
class JsonTooDeep final : public nlohmann::json::exception {
 public:
  JsonTooDeep();
};

/// JSON from a file: Json::parse but for JsonTooDeep.
template <class Json = nlohmann::json>
Json parse_json(std::string_view text) {
  if (is_json_too_deep(text)) throw JsonTooDeep();
  return Json::parse(text);
}

/// JSON as text, `indent` as in dump(). Names from paths are bytes: what is not UTF-8 becomes U+FFFD.
template <class Json>
std::string json_text(const Json& value, int indent = -1) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

/// What nlohmann says, without its "[json.exception.parse_error.101] ".
std::string json_reason(const nlohmann::json::exception& error);

}  // namespace w2w
