#include <fmt/format.h>

#include "cli/commands/file_description.h"
#include "w2w/base/error.h"
#include "w2w/io/csv_reader.h"
#include "w2w/io/data_frame.h"

namespace w2w::cli {

namespace fs = std::filesystem;

FileDescription describe_csv(const fs::path& path) {
  const auto file = MappedFile::open(path);
  CsvReader csv(*file);
  if (!csv.next()) throw Error(ErrorKind::malformed, fmt::format("the table is empty ({})", path.string()));
  const auto columns = csv.cells();
  int64_t rows = 0;
  while (csv.next()) ++rows;
  FileDescription description{.kind = "table", .title = "table of labels"};
  description.facts["rows"] = rows;
  description.facts["columns"] = columns;
  return description;
}

FileDescription describe_table(const fs::path& path) {
  const auto table = read_label_table(path);
  FileDescription description{.kind = "table", .title = "table of labels (pandas)"};
  description.facts["rows"] = table.rows.size();
  description.facts["columns"] = table.columns;
  return description;
}

}  // namespace w2w::cli
