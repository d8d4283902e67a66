#include "cli/commands/file_description.h"
#include "cli/options/picture_arguments.h"
#include "w2w/engine/picture_metadata.h"
#include "w2w/io/image.h"

namespace w2w::cli {

FileDescription describe_picture(const std::filesystem::path& path) {
  const auto image = read_image(path);
  FileDescription description{.kind = "picture", .title = "picture"};
  description.metadata = image.text;
  description.facts["width"] = image.pixels.size(1);
  description.facts["height"] = image.pixels.size(0);
  description.facts["alpha"] = image.pixels.size(2) == 4;
  if (const auto arguments = arguments_in(image.text))
    description.facts["command"] = command_line(*arguments);
  return description;
}

}  // namespace w2w::cli
