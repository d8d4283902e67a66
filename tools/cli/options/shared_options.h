#pragma once
// The options that most commands share (docs/cli.md).

#include "cli/options/model_options.h"
#include "cli/options/output_options.h"
#include "cli/options/picture_options.h"

namespace w2w::cli {

/// Of commands that draw people of a space.
struct SharedOptions : ModelOptions, PictureOptions, OutputOptions {};

void add_drawing_options(CLI::App& parser, SharedOptions& options);

/// --sheet, for commands that draw several people.
void add_sheet_option(CLI::App& parser, bool& sheet);

/// What can be refused before anything is loaded and was not refused by parsing: check_model_options,
/// check_picture_options, SOURCE_DATE_EPOCH.
void check_shared_options(const SharedOptions& options);

}  // namespace w2w::cli
