#pragma once
#include <string>

namespace w2w::cli {

/// A hint of the library in the words of the command line. The library names settings and actions in angle
/// brackets, since each front end has controls of its own: "use <dtype> bf16, or <verify> the space" becomes
/// "use --dtype bf16, or `w2w space verify` the space". Other text in brackets stays.
std::string worded(const std::string& hint);

}  // namespace w2w::cli
