#pragma once
#include "cli/app/app.h"

namespace w2w::cli {

/// Error(usage) for arguments that neither the program nor `command` (if there is one) knows, with the
/// nearest name; for a command with actions when there is none of these.
void check_leftovers(const App& app, const Command* command);

}  // namespace w2w::cli
