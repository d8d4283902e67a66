#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

namespace w2w {

/// A table of numbers with named rows and columns; what the file leaves empty is NaN.
struct LabelTable {
  std::vector<std::string> rows, columns;
  at::Tensor values;  ///< f32 [rows, columns]
};

/// Reads a pandas DataFrame pickled by torch.save (identity_df.pt), or CSV: a line of column names, then one
/// line per row whose first cell is its name. Columns that are not numbers are left out with a warning.
/// Error(not_found) without the file, Error(malformed) when it is damaged, has rows of different lengths, no
/// numeric column, or text within numbers.
LabelTable read_label_table(const std::filesystem::path& path);

}  // namespace w2w
