#include <fmt/format.h>

#include <fstream>

#include "w2w/file_description.h"
#include "w2w/io/image.h"
#include "w2w/picture_metadata.h"

namespace w2w::cli {

bool is_picture(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(12, '\0');
  file.read(bytes.data(), 12);
  bytes.resize(static_cast<size_t>(file.gcount()));
  return bytes.starts_with("\x89PNG") || bytes.starts_with("\xFF\xD8\xFF") || bytes.starts_with("BM") ||
         (bytes.starts_with("RIFF") && bytes.ends_with("WEBP")) || path.extension() == ".tga";
}

FileDescription describe_picture(const std::filesystem::path& path) {
  const auto image = read_image(path);
  FileDescription description{.kind = "picture", .title = "picture"};
  description.metadata = image.text;
  description.facts["width"] = image.pixels.size(1);
  description.facts["height"] = image.pixels.size(0);
  description.facts["alpha"] = image.pixels.size(2) == 4;
  if (const auto command = command_of(image.text)) description.facts["command"] = *command;
  return description;
}

}  // namespace w2w::cli
