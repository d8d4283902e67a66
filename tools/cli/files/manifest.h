#pragma once
// Tables of people for commands that do one thing to many: a CSV file with a line per picture.

#include <CLI/App.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "w2w/base/run.h"

namespace w2w::cli {

/// What the person of a picture, or of a folder of pictures, is called: its last name, without a picture's
/// extension.
std::string name_of(const std::filesystem::path& picture);

/// --name of `train` and `invert`: refused unless is_file_name.
void add_name_option(CLI::App& parser, std::optional<std::string>& target, const std::string& help);

/// One line: a picture (or, where the command reads them, a folder of pictures) of the person `name`.
struct ManifestLine {
  std::string name;
  std::filesystem::path image;
  std::map<std::string, std::string> more;  ///< the other columns' cells that are not empty
  int number;                               ///< of the line, from 1

  /// The file that a cell names, or none. Error(not_found) with the line when it does not exist.
  std::optional<std::filesystem::path> file(const std::string& column,
                                            const std::filesystem::path& manifest) const;
};

/// The lines of a table with the columns name, image and `more`, of which only image is needed; a name left
/// out is the picture's. Relative paths start at the manifest's folder. Error(not_found), Error(malformed)
/// naming the line; every picture must exist, and there is at least one line.
std::vector<ManifestLine> read_manifest(const std::filesystem::path& path,
                                        const std::vector<std::string>& more, const Run& run = {});

/// Part `index` (from 1) of `count` equal parts of a table's people, for jobs side by side: people 1, 1 +
/// count, ... are the first part, and so on.
struct Shard {
  size_t index = 1, count = 1;

  /// "2/8". Error(usage) otherwise.
  static Shard parse(const std::string& text);

  template <typename Job>
  std::vector<Job> of(std::vector<Job> all) const {
    std::vector<Job> mine;
    for (size_t i = index - 1; i < all.size(); i += count) mine.push_back(std::move(all[i]));
    return mine;
  }
};

/// --shard I/N, checked; for commands with a --batch-file.
void add_shard_option(CLI::App& parser, std::optional<Shard>& shard);

}  // namespace w2w::cli
