#include "cli/options/shared_options.h"

#include "cli/options/lora_option.h"
#include "cli/options/option_values.h"

namespace w2w::cli {

void add_drawing_options(CLI::App& parser, SharedOptions& options) {
  add_picture_options(parser, options);
  add_model_options(parser, options);
  add_space_option(parser, options);
  add_output_options(parser, options);
}

void add_sheet_option(CLI::App& parser, bool& sheet) {
  add_switch(parser, "--sheet,--grid", sheet, "draw all pictures on a labelled contact sheet too");
}

void check_shared_options(const SharedOptions& options) {
  check_model_options(options);
  source_date();
  check_picture_options(options);
}

}  // namespace w2w::cli
