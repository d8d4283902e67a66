#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "w2w/io/mapped_file.h"

namespace w2w {

/// Comma-separated values (RFC 4180), line by line: cells may be in double quotes, within which a quote is
/// doubled; lines of nothing but separators and spaces are skipped. Where the first line has semicolons or
/// tabs and no other separator, these separate.
class CsvReader {
 public:
  /// `file` must stay as long as the reader.
  explicit CsvReader(const MappedFile& file);
  /// The same with this separator, whatever the first line has.
  CsvReader(const MappedFile& file, char separator);

  /// The next line's cells; false at the end of the file.
  bool next();
  const std::vector<std::string>& cells() const { return cells_; }
  /// Error(malformed) naming the file.
  [[noreturn]] void fail(const std::string& what) const;
  char separator() const { return separator_; }
  int line() const { return line_; }  ///< of cells(), from 1
  const std::string& where() const { return where_; }

 private:
  char separator_in_first_line() const;
  bool next_cell();
  std::string quoted();

  std::string where_;
  std::string_view rest_;
  char separator_ = ',';
  std::vector<std::string> cells_;
  int line_ = 0;
};

}  // namespace w2w
