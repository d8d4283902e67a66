#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "w2w/base/run.h"

namespace w2w {

/// A table of numbers with named rows and columns; what the file leaves empty is NaN.
struct LabelTable {
  std::vector<std::string> rows, columns;
  at::Tensor values;  ///< f32 [rows, columns]
};

/// Reads CSV (a line of column names, then one line per row whose first cell is its name; semicolons, decimal
/// commas and tabs as CsvReader and csv.cpp say; True and False are 1 and 0), or what torch.save
/// made of a pandas DataFrame (identity_df.pt) or Series of any version since 0.25, of a matrix [rows,
/// columns] or list of labels, or of a dict of columns or of rows. Rows without names are numbered; a column
/// "file" of names, as the release describes its table, names them instead. Columns that are not numbers are
/// left out with a warning. Error(not_found) without the file, Error(malformed) when it is damaged, has rows
/// of different lengths, no numeric column, or text within numbers.
LabelTable read_label_table(const std::filesystem::path& path, const Run& run = {});

/// The names of its rows alone: a list of texts is enough.
std::vector<std::string> read_row_names(const std::filesystem::path& path, const Run& run = {});

}  // namespace w2w
