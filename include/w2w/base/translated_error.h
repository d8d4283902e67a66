#pragma once
// The one place that knows what the standard library, LibTorch and oneDNN throw.

#include <exception>

#include "w2w/base/error.h"

namespace w2w {

/// Any exception as an Error that a user can act on: memory and threads that a limit refused are
/// out_of_memory, errors of paths name the path and the system's reason. What is left is a bug of ours, and
/// says so ("internal error: ...").
Error translated(const std::exception& error);

/// The same for the exception that is being handled, whatever its type.
Error translated_current_exception();

}  // namespace w2w
