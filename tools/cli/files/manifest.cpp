#include "cli/files/manifest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/options/option_values.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"
#include "w2w/base/read_file.h"
#include "w2w/io/csv_reader.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

fs::path existing(const fs::path& manifest, const std::string& cell, int line) {
  auto found = is_stream(manifest) ? fs::path(cell) : manifest.parent_path() / cell;
  if (!fs::exists(found)) {
    throw Error(
        ErrorKind::not_found,
        fmt::format("no such file ({}), named in line {} of {}", found.string(), line, manifest.string()),
        "relative paths start at the table's folder, for a pipe at the current one");
  }
  return found;
}

void check_columns(const CsvReader& csv, const std::vector<std::string>& columns,
                   const std::vector<std::string>& known) {
  for (const auto& column : columns) {
    if (std::find(known.begin(), known.end(), column) != known.end()) continue;
    const auto last = known.size() - 1;
    csv.fail(fmt::format("expected the columns {} and {}, found '{}'; {}",
                         fmt::join(known.begin(), known.begin() + static_cast<int64_t>(last), ", "),
                         known[last], column, suggest(column, known)));
  }
  if (std::find(columns.begin(), columns.end(), "image") == columns.end()) {
    csv.fail("its first line has no column 'image'");
  }
}

}  // namespace

void add_name_option(CLI::App& parser, std::optional<std::string>& target, const std::string& help) {
  add_value(parser, "--name", "NAME", help, [&target](const std::string& text) {
    if (!is_file_name(text)) {
      throw Error(ErrorKind::usage, fmt::format("--name expects a valid file name, found '{}'", text),
                  "use -o for the folder");
    }
    target = text;
  });
}

std::string name_of(const fs::path& picture) {
  auto path = fs::absolute(picture).lexically_normal();  // "." has a name too
  if (!path.has_filename()) path = path.parent_path();
  const auto name = fs::is_directory(path) ? path.filename() : path.stem();
  return name.empty() ? "person" : name.string();
}

std::optional<fs::path> ManifestLine::file(const std::string& column, const fs::path& manifest) const {
  const auto cell = more.find(column);
  if (cell == more.end()) return std::nullopt;
  return existing(manifest, cell->second, number);
}

std::vector<ManifestLine> read_manifest(const fs::path& path, const std::vector<std::string>& more,
                                        const Run& run) {
  const auto file = MappedFile::open_or_read(path, run);
  CsvReader csv(*file);
  std::vector<std::string> known = {"name", "image"};
  known.insert(known.end(), more.begin(), more.end());
  if (!csv.next())
    csv.fail(fmt::format("it is empty; expected a line with the columns {}", fmt::join(known, ", ")));
  const auto columns = csv.cells();
  check_columns(csv, columns, known);

  std::vector<ManifestLine> lines;
  while (csv.next()) {
    if (csv.cells().size() != columns.size()) {
      csv.fail(
          fmt::format("line {} has {} cells, expected {}", csv.line(), csv.cells().size(), columns.size()));
    }
    ManifestLine line;
    line.number = csv.line();
    for (size_t i = 0; i < columns.size(); ++i) {
      if (!csv.cells()[i].empty()) line.more[columns[i]] = csv.cells()[i];
    }
    const auto image = line.more.extract("image"), name = line.more.extract("name");
    if (image.empty()) csv.fail(fmt::format("line {} has no image", csv.line()));
    line.image = existing(path, image.mapped(), line.number);
    line.name = name.empty() ? name_of(line.image) : name.mapped();
    if (!is_file_name(line.name)) {
      csv.fail(fmt::format("line {}: expected a valid file name, found '{}'", csv.line(), line.name));
    }
    lines.push_back(std::move(line));
  }
  if (lines.empty()) csv.fail("it has no rows");
  return lines;
}

Shard Shard::parse(const std::string& text) {
  const auto slash = text.find('/');
  if (slash == std::string::npos) {
    throw Error(ErrorKind::usage, fmt::format("--shard expects I/N, such as 2/8, found '{}'", text));
  }
  const int64_t count = parse_integer("--shard", text.substr(slash + 1), {1, 1'000'000});
  const int64_t index = parse_integer("--shard", text.substr(0, slash), {1, count});
  return {static_cast<size_t>(index), static_cast<size_t>(count)};
}

void add_shard_option(CLI::App& parser, std::optional<Shard>& shard) {
  add_value(parser, "--shard", "I/N", "only part I of N of the people in --batch-file, for N parallel jobs",
            [&shard](const std::string& text) { shard = Shard::parse(text); });
}

}  // namespace w2w::cli
