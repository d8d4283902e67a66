// Comma-separated values (RFC 4180): cells may be in double quotes, within which a quote is doubled.

#include "io/csv.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "w2w/base/error.h"

namespace w2w {
namespace {

class Reader {
 public:
  explicit Reader(const MappedFile& file) : where_(file.path().string()), rest_(file.bytes()) {
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (rest_.starts_with(byte_order_mark)) rest_.remove_prefix(byte_order_mark.size());
  }

  LabelTable read() {
    if (!next_line() || cells_.size() < 2)
      fail("its first line does not name a column beside that of the row names");
    LabelTable table;
    table.columns.assign(cells_.begin() + 1, cells_.end());
    kinds_.assign(table.columns.size(), Kind::unknown);
    std::vector<float> values;
    while (next_line()) {
      if (cells_.size() != table.columns.size() + 1)
        fail(
            fmt::format("line {} has {} cells, expected {}", line_, cells_.size(), table.columns.size() + 1));
      table.rows.push_back(cells_[0]);
      for (size_t i = 0; i < kinds_.size(); ++i) values.push_back(number(i, table.columns[i]));
    }
    table.values =
        at::empty({static_cast<int64_t>(table.rows.size()), static_cast<int64_t>(kinds_.size())}, at::kFloat);
    std::memcpy(table.values.data_ptr(), values.data(), values.size() * sizeof(float));
    std::vector<bool> is_text;
    for (const Kind kind : kinds_) is_text.push_back(kind == Kind::text);
    return without_text_columns(std::move(table), is_text, where_);
  }

 private:
  enum class Kind { unknown, number, text };

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::malformed, "not a readable table (" + where_ + "): " + what);
  }

  /// Fills cells_ with the next line that is not empty; false at the end.
  bool next_line() {
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
  bool next_cell() {
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

  std::string quoted() {
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

  /// The cell of a column, NaN when empty or text. The first cell that is not empty decides what the column
  /// is.
  float number(size_t column, const std::string& name) {
    constexpr float none = std::numeric_limits<float>::quiet_NaN();
    std::string_view text = cells_[column + 1];
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    if (text.starts_with('+')) text.remove_prefix(1);
    if (text.empty() || kinds_[column] == Kind::text) return none;
    double value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool parsed = problem == std::errc{} && end == text.data() + text.size();
    if (kinds_[column] == Kind::unknown) kinds_[column] = parsed ? Kind::number : Kind::text;
    if (!parsed && kinds_[column] == Kind::number)
      fail(fmt::format("line {}, column '{}': expected a number, found '{}'", line_, name, text));
    return parsed ? static_cast<float>(value) : none;
  }

  std::string where_;
  std::string_view rest_;
  std::vector<std::string> cells_;
  std::vector<Kind> kinds_;
  int line_ = 0;
};

}  // namespace

LabelTable read_csv_table(const MappedFile& file) { return Reader(file).read(); }

}  // namespace w2w
