// Labels from comma-separated values: a line of column names, then one line per row.

#include "io/csv.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <string>

#include "w2w/io/csv_reader.h"

namespace w2w {
namespace {

class LabelReader {
 public:
  LabelReader(const MappedFile& file, const Run& run) : csv_(file), run_(run) {}

  LabelTable read() {
    if (!csv_.next() || cells().size() < 2) csv_.fail("its first line names no column besides the row names");
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
    return without_text_columns(std::move(table), is_text, csv_.where(), run_);
  }

 private:
  enum class Kind { unknown, number, flag, text };

  const std::vector<std::string>& cells() const { return csv_.cells(); }

  /// The cell of a column, NaN when empty or text. The first cell that is not empty decides what the column
  /// is.
  float number(size_t column, const std::string& name) {
    constexpr float none = std::numeric_limits<float>::quiet_NaN();
    const auto text = trimmed(cells()[column + 1]);
    if (is_missing(text) || kinds_[column] == Kind::text) return none;
    const auto flag = flag_of(text);
    const auto value = flag ? flag : number_of(text, name);
    const Kind kind = flag ? Kind::flag : value ? Kind::number : Kind::text;
    if (kinds_[column] == Kind::unknown) kinds_[column] = kind;
    if (kinds_[column] != kind)
      csv_.fail(fmt::format("line {}, column '{}': expected {}, found '{}'", csv_.line(), name,
                            kinds_[column] == Kind::flag ? "True or False" : "a number", text));
    return value.value_or(none);
  }

  static std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
  }

  /// What pandas.read_csv takes for a missing value.
  static bool is_missing(std::string_view text) {
    constexpr std::array<std::string_view, 18> none = {
        "",        "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND",
        "1.#QNAN", "<NA>", "N/A",      "NA",  "NULL",    "NaN",      "None", "n/a",  "null"};
    return std::find(none.begin(), none.end(), text) != none.end() || text == "nan";
  }

  /// True and False in any case; yes and no are texts, as for pandas.
  static std::optional<float> flag_of(std::string_view text) {
    std::string lower(text.substr(0, 6));
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (lower == "true") return 1.0F;
    if (lower == "false") return 0.0F;
    return std::nullopt;
  }

  /// In tables with semicolons, which programs write where the comma is the decimal sign, a number may have
  /// one, unless others have a point: either could separate thousands then.
  std::optional<float> number_of(std::string_view text, const std::string& name) {
    if (text.starts_with('+')) text.remove_prefix(1);
    std::string digits(text);
    const size_t comma = digits.find(',');
    if (comma != digits.npos) digits[comma] = '.';
    double value = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (problem != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    if (comma != digits.npos && csv_.separator() != ';')
      csv_.fail(
          fmt::format("line {}, column '{}': expected a decimal point, found '{}'", csv_.line(), name, text));
    if (digits.find('.') != digits.npos) {
      auto& sign = comma == digits.npos ? point_ : comma_;
      if (sign.empty()) sign = fmt::format("'{}' in line {}", text, csv_.line());
      if (!point_.empty() && !comma_.empty())
        csv_.fail(
            fmt::format("expected either decimal points or decimal commas, found {} and {}", point_, comma_));
    }
    return static_cast<float>(value);
  }

  std::string point_, comma_;  ///< the first number with either
  CsvReader csv_;
  const Run& run_;
  std::vector<Kind> kinds_;
};

}  // namespace

LabelTable read_csv_table(const MappedFile& file, const Run& run) { return LabelReader(file, run).read(); }

}  // namespace w2w
