// Labels from comma-separated values: a line of column names, then one line per row.

#include "io/csv.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "w2w/io/csv_reader.h"

namespace w2w {
namespace {

class LabelReader {
 public:
  explicit LabelReader(const MappedFile& file) : csv_(file) {}

  LabelTable read() {
    if (!csv_.next() || cells().size() < 2)
      csv_.fail("its first line does not name a column beside that of the row names");
    LabelTable table;
    table.columns.assign(cells().begin() + 1, cells().end());
    kinds_.assign(table.columns.size(), Kind::unknown);
    std::vector<float> values;
    while (csv_.next()) {
      if (cells().size() != table.columns.size() + 1)
        csv_.fail(fmt::format("line {} has {} cells, expected {}", csv_.line(), cells().size(),
                              table.columns.size() + 1));
      table.rows.push_back(cells()[0]);
      for (size_t i = 0; i < kinds_.size(); ++i) values.push_back(number(i, table.columns[i]));
    }
    table.values =
        at::empty({static_cast<int64_t>(table.rows.size()), static_cast<int64_t>(kinds_.size())}, at::kFloat);
    std::memcpy(table.values.data_ptr(), values.data(), values.size() * sizeof(float));
    std::vector<bool> is_text;
    for (const Kind kind : kinds_) is_text.push_back(kind == Kind::text);
    return without_text_columns(std::move(table), is_text, csv_.where());
  }

 private:
  enum class Kind { unknown, number, text };

  const std::vector<std::string>& cells() const { return csv_.cells(); }

  /// The cell of a column, NaN when empty or text. The first cell that is not empty decides what the column
  /// is.
  float number(size_t column, const std::string& name) {
    constexpr float none = std::numeric_limits<float>::quiet_NaN();
    std::string_view text = cells()[column + 1];
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    if (text.starts_with('+')) text.remove_prefix(1);
    if (text.empty() || kinds_[column] == Kind::text) return none;
    double value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool parsed = problem == std::errc{} && end == text.data() + text.size();
    if (kinds_[column] == Kind::unknown) kinds_[column] = parsed ? Kind::number : Kind::text;
    if (!parsed && kinds_[column] == Kind::number)
      csv_.fail(fmt::format("line {}, column '{}': expected a number, found '{}'", csv_.line(), name, text));
    return parsed ? static_cast<float>(value) : none;
  }

  CsvReader csv_;
  std::vector<Kind> kinds_;
};

}  // namespace

LabelTable read_csv_table(const MappedFile& file) { return LabelReader(file).read(); }

}  // namespace w2w
