// Tables that are neither pandas' nor CSV: matrices, lists and dicts.

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "io/raw_table.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

/// One value without parts: a number, a text or nothing.
bool is_cell(const Value& value) {
  return is_none(value) || value.text() || value.number() || (value.tensor() && value.tensor()->dim() == 0);
}

bool is_column(const Value& value) {
  if (value.tensor()) return value.tensor()->dim() == 1;
  return value.list() && std::all_of(value.list()->begin(), value.list()->end(), is_cell);
}

class PlainTable {
 public:
  explicit PlainTable(const std::string& where) : where_(where) {}

  RawTable read(const Value& root) const {
    constexpr int64_t most_columns = 10'000;  // weights or coefficients are no labels
    if (const auto* matrix = root.tensor();
        matrix && matrix->dim() == 2 && matrix->size(1) > 0 && matrix->size(1) <= most_columns)
      return of_matrix(*matrix);
    if (root.list() && !root.list()->empty()) return of_list(root);
    if (root.tensor() && root.tensor()->dim() == 1) return of_list(root);
    if (root.dict() && !root.dict()->items.empty()) return of_dict(*root.dict());
    return refuse(root);
  }

 private:
  [[noreturn]] RawTable refuse(const Value& root) const {
    throw Error(ErrorKind::malformed,
                fmt::format("not a table of labels ({}): found {}, expected a pandas.core.frame.DataFrame, a "
                            "matrix, or columns of labels",
                            where_, root.description()));
  }

  static RawTable of_matrix(const at::Tensor& matrix) {
    RawTable table{row_numbers(matrix.size(0)), {}, {}};
    for (int64_t i = 0; i < matrix.size(1); ++i) {
      table.columns.push_back(fmt::format("label_{}", i));
      table.values.push_back({matrix.select(1, i)});
    }
    return table;
  }

  /// Texts are names of rows, numbers one column, lists or dicts the rows of a table.
  RawTable of_list(const Value& root) const {
    if (is_column(root)) {
      if (root.list() && std::all_of(root.list()->begin(), root.list()->end(),
                                     [](const Value& item) { return item.text() != nullptr; })) {
        RawTable names;
        for (const Value& item : *root.list()) names.rows.push_back(*item.text());
        return names;
      }
      return {row_numbers(length(root)), {"label"}, {root}};
    }
    List rows;
    for (const Value& item : *root.list()) rows.push_back(item);
    return of_rows(row_numbers(static_cast<int64_t>(rows.size())), rows, root);
  }

  RawTable of_dict(const Dict& dict) const {
    std::vector<std::string> names;
    List values;
    for (const auto& [key, value] : dict.items) {
      const auto name = name_of(key);
      if (!name) refuse(key);
      names.push_back(*name);
      values.push_back(is_pandas_table(value) ? read_pandas_table(value, where_).values.at(0) : value);
    }
    const auto all = [&](auto is) { return std::all_of(values.begin(), values.end(), is); };
    if (all(is_cell)) return {names, {"label"}, {make_list(values)}};
    if (all(is_column)) {
      const int64_t rows = length(values.front());
      if (!all([&](const Value& value) { return length(value) == rows; }))
        fail("its columns have different lengths");
      return {row_numbers(rows), names, values};
    }
    if (!all([](const Value& value) { return value.dict() != nullptr; }))
      refuse(Value{std::make_shared<Dict>(dict)});
    // Of dicts in a dict the outer ones are columns, as DataFrame.to_dict() writes them, unless there are
    // more of them than of the inner.
    if (names.size() > values.front().dict()->items.size()) return of_rows(names, values, values.front());
    RawTable turned = of_rows(names, values, values.front());
    RawTable table{turned.columns, names, {}};
    for (size_t row = 0; row < names.size(); ++row) {
      List column;
      for (const Value& value : turned.values) column.push_back((*value.list())[row]);
      table.values.push_back(make_list(std::move(column)));
    }
    return table;
  }

  /// Each row a dict of the same keys, or a list of as many values.
  RawTable of_rows(std::vector<std::string> names, const List& rows, const Value& root) const {
    RawTable table{std::move(names), {}, {}};
    std::vector<List> columns;
    std::unordered_map<std::string, size_t> places;
    for (const Value& row : rows) {
      const bool first = table.columns.empty();
      const auto cells = cells_of(row, root);
      if (!first && cells.size() != table.columns.size()) fail("its rows have different lengths");
      for (const auto& [name, cell] : cells) {
        if (first) {
          places[name] = table.columns.size();
          table.columns.push_back(name);
          columns.emplace_back();
        }
        const auto place = places.find(name);
        if (place == places.end()) fail("not every row has '" + name + "'");
        columns[place->second].push_back(cell);
      }
    }
    for (auto& column : columns) {
      if (column.size() != rows.size()) fail("its rows have different columns");
      table.values.push_back(make_list(std::move(column)));
    }
    return table;
  }

  std::vector<std::pair<std::string, Value>> cells_of(const Value& row, const Value& root) const {
    std::vector<std::pair<std::string, Value>> cells;
    const auto add = [&](const std::string& name, const Value& cell) {
      if (!is_cell(cell)) refuse(root);
      cells.emplace_back(name, cell);
    };
    if (const Dict* dict = row.dict()) {
      for (const auto& [key, value] : dict->items) {
        const auto name = name_of(key);
        if (!name) refuse(root);
        add(*name, value);
      }
    } else if (row.list()) {
      for (size_t i = 0; i < row.list()->size(); ++i) add(fmt::format("label_{}", i), (*row.list())[i]);
    } else if (row.tensor() && row.tensor()->dim() == 1) {
      for (int64_t i = 0; i < row.tensor()->size(0); ++i)
        add(fmt::format("label_{}", i), {(*row.tensor())[i]});
    } else {
      refuse(root);
    }
    return cells;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::malformed, fmt::format("not a table of labels ({}): {}", where_, what));
  }

  const std::string& where_;
};

}  // namespace

bool is_none(const Value& value) {
  return value.is_null() || (value.object() && value.object()->name == "pandas._libs.missing.NA");
}

int64_t length(const Value& column) {
  return column.tensor() ? column.tensor()->size(0) : static_cast<int64_t>(column.list()->size());
}

std::optional<std::string> name_of(const Value& value) {
  if (value.text()) return *value.text();
  if (value.integer()) return std::to_string(*value.integer());
  return std::nullopt;
}

RawTable read_plain_table(const Value& root, const std::string& where) {
  return PlainTable(where).read(root);
}

}  // namespace w2w
