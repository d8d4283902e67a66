#include "cli/options/output_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/options/option_groups.h"
#include "cli/options/option_values.h"
#include "w2w/base/error.h"

namespace w2w::cli {

Existing OutputOptions::existing() const {
  if (force + skip_existing + number > 1)
    throw Error(ErrorKind::usage, "--force, --skip-existing and --number cannot be combined");
  return force           ? Existing::replace
         : skip_existing ? Existing::keep
         : number        ? Existing::number
                         : Existing::refuse;
}

bool OutputOptions::leaves(const OutputPath& one) const {
  std::error_code error;
  return skip_existing && std::filesystem::exists(std::filesystem::symlink_status(one.path, error));
}

CLI::Option* add_output_path(CLI::App& parser, const std::string& names, std::optional<std::string>& target,
                             const std::string& value_name, const std::string& help) {
  return add_value(
      parser, names, value_name, help, [&target, name = display_name(names)](const std::string& text) {
        if (text == "-") {
          throw Error(ErrorKind::usage, fmt::format("{} expects a file or folder, found '-'", name),
                      "files are not written to stdout, which lists their paths; ./- is a file "
                      "of that name");
        }
        target = text;
      });
}

void add_output_options(CLI::App& parser, OutputOptions& options) {
  const auto group = [](CLI::Option* option) { option->group(output_group); };
  group(add_output_path(parser, "-o,--output", options.output, "PATH",
                        "folder (made if absent), or with an extension the file, if there is one; default: "
                        "the current folder"));
  group(add_switch(parser, "--force", options.force, "replace existing files"));
  group(add_switch(parser, "--skip-existing", options.skip_existing,
                   "leave existing files as they are and make the others"));
  group(add_switch(parser, "--number", options.number,
                   "keep existing files and give new ones the next free number: person-7-2.safetensors"));
  group(add_switch(parser, "--no-metadata", options.no_metadata, "do not write metadata into files"));
}

}  // namespace w2w::cli
