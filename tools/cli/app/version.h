#pragma once
#include <string>

namespace w2w::cli {

/// The LibTorch it was built with, "2.11.0".
std::string torch_version();
/// The instruction set LibTorch uses on this CPU, "AVX2".
std::string cpu_capability();

/// What --version prints.
std::string version_text();

}  // namespace w2w::cli
