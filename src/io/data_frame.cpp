// Labels out of torch files, whatever they were before torch.save.

#include "w2w/io/data_frame.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <unordered_set>

#include "io/csv.h"
#include "io/raw_table.h"
#include "w2w/base/error.h"
#include "w2w/base/run.h"
#include "w2w/io/torch_value.h"

namespace w2w {
namespace {

constexpr float none = std::numeric_limits<float>::quiet_NaN();

/// A cell as a number, also one that is written as text; nothing for anything else.
std::optional<float> number_of(const Value& cell) {
  if (cell.number()) return static_cast<float>(*cell.number());
  if (is_none(cell)) return none;
  if (cell.tensor() && cell.tensor()->dim() == 0) return cell.tensor()->item<float>();
  if (!cell.text()) return std::nullopt;
  std::string_view text = *cell.text();
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.empty()) return none;
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return static_cast<float>(value);
}

/// f32 [rows]; undefined when a cell is no number.
at::Tensor numbers_of(const Value& column) {
  if (column.tensor()) return column.tensor()->to(at::kFloat);
  at::Tensor numbers = at::empty({length(column)}, at::kFloat);
  auto* out = numbers.mutable_data_ptr<float>();
  for (const Value& cell : *column.list()) {
    const auto number = number_of(cell);
    if (!number) return {};
    *out++ = *number;
  }
  return numbers;
}

/// The cells as names, if no two are the same and none is empty.
std::optional<std::vector<std::string>> unique_names(const Value& column) {
  std::vector<std::string> names;
  std::unordered_set<std::string> seen;
  if (column.tensor() && column.tensor()->is_floating_point()) return std::nullopt;
  for (int64_t i = 0; i < length(column); ++i) {
    const auto name = column.tensor() ? std::to_string((*column.tensor())[i].item<int64_t>())
                                      : name_of((*column.list())[static_cast<size_t>(i)]).value_or("");
    if (name.empty() || !seen.insert(name).second) return std::nullopt;
    names.push_back(name);
  }
  return names;
}

/// The notebooks of the release say that the table's "file" is the name of each model's folder. It is no
/// attribute; where rows are but numbered, it names them.
void take_file_names(RawTable& table) {
  const auto file = std::find(table.columns.begin(), table.columns.end(), "file");
  if (file == table.columns.end()) return;
  const auto place = file - table.columns.begin();
  const auto names = unique_names(table.values[static_cast<size_t>(place)]);
  if (!names) return;
  if (table.rows == row_numbers(static_cast<int64_t>(table.rows.size()))) table.rows = *names;
  table.columns.erase(file);
  table.values.erase(table.values.begin() + place);
}

LabelTable numeric_table(RawTable raw, const std::string& where, const Run& run) {
  LabelTable table{std::move(raw.rows), std::move(raw.columns), {}};
  const auto rows = static_cast<int64_t>(table.rows.size());
  table.values = at::full({rows, static_cast<int64_t>(table.columns.size())}, none, at::kFloat);
  std::vector<bool> is_text;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const auto numbers = numbers_of(raw.values[i]);
    is_text.push_back(!numbers.defined());
    if (numbers.defined()) table.values.select(1, static_cast<int64_t>(i)).copy_(numbers);
  }
  return without_text_columns(std::move(table), is_text, where, run);
}

bool is_torch_file(const MappedFile& file) {
  return file.bytes().starts_with("PK\3\4") || file.bytes().starts_with('\x80');
}

RawTable read_raw_table(const std::filesystem::path& path) {
  const auto root = read_torch_file(path);
  const auto where = path.string();
  auto table = is_pandas_table(root) ? read_pandas_table(root, where) : read_plain_table(root, where);
  take_file_names(table);
  return table;
}

}  // namespace

std::vector<std::string> row_numbers(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

LabelTable without_text_columns(LabelTable table, const std::vector<bool>& is_text, const std::string& where,
                                const Run& run) {
  std::vector<std::string> kept;
  std::vector<int64_t> indices;
  for (size_t i = 0; i < is_text.size(); ++i) {
    if (is_text[i]) {
      run.warn("column '" + table.columns[i] + "' of " + where + " does not hold numbers and is left out");
      continue;
    }
    kept.push_back(table.columns[i]);
    indices.push_back(static_cast<int64_t>(i));
  }
  if (kept.empty())
    throw Error(ErrorKind::malformed, "not a usable table (" + where + "): no column holds numbers");
  if (kept.size() < is_text.size()) table.values = at::index_select(table.values, 1, at::tensor(indices));
  table.columns = std::move(kept);
  return table;
}

LabelTable read_label_table(const std::filesystem::path& path, const Run& run) {
  const auto file = MappedFile::open_or_read(path, run);
  return is_torch_file(*file) ? numeric_table(read_raw_table(path), path.string(), run)
                              : read_csv_table(*file, run);
}

std::vector<std::string> read_row_names(const std::filesystem::path& path, const Run& run) {
  const auto file = MappedFile::open_or_read(path, run);
  return is_torch_file(*file) ? read_raw_table(path).rows : read_csv_table(*file, run).rows;
}

}  // namespace w2w
