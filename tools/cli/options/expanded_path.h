#pragma once
#include <string>

namespace w2w::cli {

/// A path from a variable or a settings file, in which no shell has expanded anything, as Python's
/// os.path.expandvars(os.path.expanduser(path)) and so huggingface_hub: ~ and ~NAME at its beginning, $NAME
/// and ${NAME} anywhere; what is not known stays.
std::string expanded_path(const std::string& path);

}  // namespace w2w::cli
