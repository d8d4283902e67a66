#pragma once
// Internal to the library's .cpp files, so that nlohmann's headers stay out of the public ones.

#include <filesystem>
#include <nlohmann/json.hpp>

namespace w2w {

/// The object in a JSON file. Error(not_found) without the file, Error(malformed) with the parser's reason
/// otherwise.
nlohmann::json read_json_object(const std::filesystem::path& path);

/// What nlohmann says, without its "[json.exception.parse_error.101] ".
std::string json_reason(const nlohmann::json::exception& error);

}  // namespace w2w
