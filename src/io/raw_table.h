#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "w2w/io/torch_value.h"

namespace w2w {

/// A table as a file holds it: of each column a tensor [rows] or a list of as many values.
struct RawTable {
  std::vector<std::string> rows, columns;
  std::vector<Value> values;
};

/// A pandas DataFrame or Series, as read_torch_file gives it. Error(malformed) naming `where` for what is
/// damaged or more than a plain table.
bool is_pandas_table(const Value& root);
RawTable read_pandas_table(const Value& root, const std::string& where);

/// A matrix, a list of labels or of rows, or a dict of columns or of rows. Error(malformed) for anything
/// else.
RawTable read_plain_table(const Value& root, const std::string& where);

/// None, or pandas' NA.
bool is_none(const Value& value);
/// The number of values in a column.
int64_t length(const Value& column);
/// A text, or an integer as one.
std::optional<std::string> name_of(const Value& value);

/// "0", "1", ...: the names of rows that have none.
std::vector<std::string> row_numbers(int64_t count);

}  // namespace w2w
