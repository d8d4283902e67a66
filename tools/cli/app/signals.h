#pragma once

#include "w2w/base/run.h"

namespace w2w::cli {

/// SIGINT, SIGTERM and SIGHUP ask the work to stop after its step; a second SIGINT or SIGTERM ends the
/// process. What the parent ignores (nohup, a shell's background job) stays ignored. A closed pipe on stdout
/// ends the process, also where the parent ignores that; a file that grows too large is an error of writing.
void set_signal_handlers();

/// What they set.
const StopFlag& stop_by_signal();

}  // namespace w2w::cli
