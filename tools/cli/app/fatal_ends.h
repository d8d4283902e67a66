#pragma once

namespace w2w::cli {

/// What ends the process without an exception in main gets a sentence and an exit code of the promised ones
/// as well: a file that is cut short while it is mapped (SIGBUS), a library that goes on without the memory
/// it asked for (SIGSEGV), an exception that a library lets nobody catch, and libgomp, which exits where it
/// gets no thread or no memory.
void guard_fatal_ends();

/// Called at the end of main: from here on exit() is what was asked for.
void leave_main();

}  // namespace w2w::cli
