#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "w2w/base/error.h"
#include "w2w/file_description.h"
#include "w2w/io/data_frame.h"

namespace w2w::cli {

namespace fs = std::filesystem;

FileDescription describe_csv(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string header, line;
  int64_t rows = 0;
  if (!std::getline(file, header)) {
    throw Error(ErrorKind::malformed, fmt::format("the table is empty ({})", path.string()));
  }
  while (std::getline(file, line)) rows += !line.empty();
  if (header.ends_with('\r')) header.pop_back();
  auto columns = nlohmann::ordered_json::array();
  for (size_t at = 0; at <= header.size(); at = std::min(header.find(',', at), header.size()) + 1) {
    columns.push_back(header.substr(at, header.find(',', at) - at));
  }
  FileDescription description{.kind = "table", .title = "table of labels"};
  description.facts["rows"] = rows;
  description.facts["columns"] = std::move(columns);
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
