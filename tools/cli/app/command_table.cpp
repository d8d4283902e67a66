#include "cli/app/app.h"

namespace w2w::cli {

void add_all_commands(App& app) {
  add_sample(app);
  add_render(app);
  add_invert(app);
  add_edit(app);
  add_export(app);
  add_import(app);
  add_nearest(app);
  add_compare(app);
  add_interpolate(app);
  add_train(app);
  add_direction(app);
  add_space(app);
  add_tokens(app);
  add_inspect(app);
  add_doctor(app);
  add_completion(app);
  add_help(app);
}

}  // namespace w2w::cli
