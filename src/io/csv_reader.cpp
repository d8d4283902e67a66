#include "w2w/io/csv_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "w2w/base/error.h"

namespace w2w {

CsvReader::CsvReader(const MappedFile& file) : where_(file.path().string()), rest_(file.bytes()) {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (rest_.starts_with(byte_order_mark)) rest_.remove_prefix(byte_order_mark.size());
  if (rest_.find('\0') != rest_.npos) fail("expected text, found binary data");
}

void CsvReader::fail(const std::string& what) const {
  throw Error(ErrorKind::malformed, "not a readable table (" + where_ + "): " + what);
}

bool CsvReader::next() {
  do {
    if (rest_.empty()) return false;
    cells_.clear();
    ++line_;
    while (next_cell()) {
    }
  } while (cells_.size() == 1 && cells_[0].empty());
  return true;
}

/// Appends a cell; false when it was the last one of its line.
bool CsvReader::next_cell() {
  std::string cell;
  if (rest_.starts_with('"')) {
    rest_.remove_prefix(1);
    cell = quoted();
  }
  const size_t length = std::min(rest_.find_first_of(",\r\n"), rest_.size());
  cells_.push_back(cell.append(rest_.substr(0, length)));
  rest_.remove_prefix(length);
  if (rest_.starts_with(',')) {
    rest_.remove_prefix(1);
    return true;
  }
  if (rest_.starts_with('\r')) rest_.remove_prefix(1);
  if (rest_.starts_with('\n')) rest_.remove_prefix(1);
  return false;
}

std::string CsvReader::quoted() {
  std::string cell;
  while (true) {
    const size_t length = rest_.find('"');
    if (length == std::string_view::npos) fail(fmt::format("a quote in line {} is not closed", line_));
    cell += rest_.substr(0, length);
    rest_.remove_prefix(length + 1);
    if (!rest_.starts_with('"')) return cell;
    cell += '"';
    rest_.remove_prefix(1);
  }
}

}  // namespace w2w
