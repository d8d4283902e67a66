#include "w2w/io/csv_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/text_encoding.h"
#include "w2w/base/error.h"
#include "w2w/base/read_file.h"

namespace w2w {

CsvReader::CsvReader(const MappedFile& file, char separator)
    : where_(file.path().string()),
      rest_(without_byte_order_mark(file.bytes(), where_)),
      separator_(separator) {
  if (rest_.find('\0') != rest_.npos) fail("expected text, found binary data");
  if (const size_t size = utf8_size(rest_); size < rest_.size()) {
    const auto line = 1 + std::count(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(size), '\n');
    throw Error(
        ErrorKind::malformed,
        fmt::format("cannot read ({}): expected text in UTF-8, found other bytes in line {}", where_, line),
        "save it as UTF-8, or: iconv -f WINDOWS-1252 -t UTF-8");
  }
}

CsvReader::CsvReader(const MappedFile& file) : CsvReader(file, ',') {
  separator_ = separator_in_first_line();
}

char CsvReader::separator_in_first_line() const {
  std::string found;
  bool quoted = false;
  const size_t start = std::min(rest_.find_first_not_of("\r\n"), rest_.size());
  for (const char c : rest_.substr(start)) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\r' || c == '\n') break;
    if ((c == ',' || c == ';' || c == '\t') && found.find(c) == found.npos) found += c;
  }
  if (found.size() > 1)
    fail(
        "its first line mixes commas, semicolons and tabs: use one of them as separator, and put names that "
        "contain "
        "another in double quotes");
  return found.empty() ? ',' : found.front();
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
  } while (std::all_of(cells_.begin(), cells_.end(),
                       [](const std::string& cell) { return cell.find_first_not_of(" \t") == cell.npos; }));
  return true;
}

/// Appends a cell; false when it was the last one of its line.
bool CsvReader::next_cell() {
  std::string cell;
  if (rest_.starts_with('"')) {
    rest_.remove_prefix(1);
    cell = quoted();
  }
  const char ends[] = {separator_, '\r', '\n', '\0'};
  const size_t length = std::min(rest_.find_first_of(ends), rest_.size());
  cells_.push_back(cell.append(rest_.substr(0, length)));
  rest_.remove_prefix(length);
  if (rest_.starts_with(separator_)) {
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
