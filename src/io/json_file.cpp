#include "io/json_file.h"

#include <fstream>

#include "w2w/base/error.h"

namespace w2w {

nlohmann::json read_json_object(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorKind::not_found, "no such file (" + path.string() + ")");
  try {
    auto object = nlohmann::json::parse(file);
    if (object.is_object()) return object;
    throw Error(ErrorKind::malformed,
                "JSON file is not an object (" + path.string() + "): found " + object.type_name());
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::malformed,
                "JSON file does not parse (" + path.string() + "): " + json_reason(error));
  }
}

std::string json_reason(const nlohmann::json::exception& error) {
  const std::string text = error.what();
  const auto end = text.find("] ");
  return text.starts_with('[') && end != text.npos ? text.substr(end + 2) : text;
}

}  // namespace w2w
