#pragma once
#include "w2w/io/data_frame.h"
#include "w2w/io/mapped_file.h"

namespace w2w {

LabelTable read_csv_table(const MappedFile& file, const Run& run);

/// The table without the columns marked as text; each of those is warned of.
LabelTable without_text_columns(LabelTable table, const std::vector<bool>& is_text, const std::string& where,
                                const Run& run);

}  // namespace w2w
