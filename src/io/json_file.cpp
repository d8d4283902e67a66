#include "io/json_file.h"

#include <fmt/format.h>

#include "w2w/base/error.h"
#include "w2w/base/read_file.h"

namespace w2w {

nlohmann::json read_json_object(const std::filesystem::path& path) {
  const auto text = read_file(path);
  try {
    auto object = parse_json(text);
    if (object.is_object()) return object;
    throw Error(ErrorKind::malformed,
                "JSON file is not an object (" + path.string() + "): found " + object.type_name());
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorKind::malformed, "not a valid JSON file (" + path.string() + "): " + json_reason(error));
  }
}

JsonTooDeep::JsonTooDeep()
    : exception(500, fmt::format("it is nested deeper than {} levels", deepest_json).c_str()) {}

std::string json_reason(const nlohmann::json::exception& error) {
  const std::string text = error.what();
  const auto end = text.find("] ");
  return text.starts_with('[') && end != text.npos ? text.substr(end + 2) : text;
}

}  // namespace w2w
