#pragma once
#include "cli/app/app.h"
#include "w2w/base/run.h"

namespace w2w::cli {

/// A warning for each variable that begins with W2W_ and sets nothing: misspelt, or named like an option that
/// no variable sets.
void warn_of_unread_variables(const App& app, const Run& run);

}  // namespace w2w::cli
