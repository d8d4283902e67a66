#include "cli/options/shared_options.h"

#include "cli/options/lora_option.h"

namespace w2w::cli {

void add_drawing_options(CLI::App& parser, SharedOptions& options) {
  add_picture_options(parser, options);
  add_model_options(parser, options);
  add_space_option(parser, options);
  add_output_options(parser, options);
}

void check_shared_options(const SharedOptions& options) {
  check_model_options(options);
  source_date();
  check_picture_options(options);
}

}  // namespace w2w::cli
