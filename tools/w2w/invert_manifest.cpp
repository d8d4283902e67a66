#include "w2w/invert_manifest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"
#include "w2w/io/csv_reader.h"

namespace w2w::cli {
namespace {

namespace fs = std::filesystem;

/// Where the columns name, image and mask are.
struct Columns {
  std::optional<size_t> name, image, mask;
};

Columns columns_of(const CsvReader& csv) {
  const std::vector<std::string> known = {"name", "image", "mask"};
  Columns columns;
  for (size_t i = 0; i < csv.cells().size(); ++i) {
    const auto& title = csv.cells()[i];
    if (title == "name") columns.name = i;
    if (title == "image") columns.image = i;
    if (title == "mask") columns.mask = i;
    if (std::find(known.begin(), known.end(), title) == known.end()) {
      csv.fail(fmt::format("expected the columns name, image and mask, found '{}'; {}", title,
                           suggest(title, known)));
    }
  }
  if (!columns.image) csv.fail("its first line names no column 'image'");
  return columns;
}

std::string valid_name(const CsvReader& csv, std::string name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos) {
    csv.fail(fmt::format("line {}: expected a name that can be a file's, found '{}'", csv.line(), name));
  }
  return name;
}

}  // namespace

std::vector<InversionJob> read_manifest(const fs::path& path) {
  const auto file = MappedFile::open(path);
  CsvReader csv(*file);
  if (!csv.next()) csv.fail("it is empty; expected a line with the columns name, image and mask");
  const size_t width = csv.cells().size();
  const auto columns = columns_of(csv);
  const auto existing = [&](const std::string& cell) {
    auto found = path.parent_path() / cell;
    if (!fs::exists(found)) {
      throw Error(ErrorKind::not_found,
                  fmt::format("no such picture ({}), named in line {} of {}", found.string(), csv.line(),
                              path.string()),
                  "relative paths start at the manifest's folder");
    }
    return found;
  };

  std::vector<InversionJob> jobs;
  while (csv.next()) {
    if (csv.cells().size() != width) {
      csv.fail(fmt::format("line {} has {} cells, expected {}", csv.line(), csv.cells().size(), width));
    }
    const auto cell = [&](std::optional<size_t> column) {
      return column ? csv.cells()[*column] : std::string();
    };
    const auto image = cell(columns.image), mask = cell(columns.mask), given = cell(columns.name);
    if (image.empty()) csv.fail(fmt::format("line {} names no image", csv.line()));
    const auto name = valid_name(csv, given.empty() ? fs::path(image).stem().string() : given);
    auto job =
        std::find_if(jobs.begin(), jobs.end(), [&](const InversionJob& known) { return known.name == name; });
    if (job == jobs.end()) job = jobs.insert(jobs.end(), {name, {}, {}});
    job->images.push_back(existing(image));
    job->masks.push_back(mask.empty() ? std::nullopt : std::optional(existing(mask)));
  }
  if (jobs.empty()) csv.fail("it names nobody");
  return jobs;
}

}  // namespace w2w::cli
