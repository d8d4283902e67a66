#include "w2w/version.h"

#include <ATen/Version.h>
#include <fmt/format.h>
#include <torch/version.h>

#include <thread>

namespace w2w::cli {

std::string version() { return W2W_VERSION; }
std::string torch_version() { return TORCH_VERSION; }
std::string cpu_capability() { return at::get_cpu_capability(); }

std::string version_text() {
  return fmt::format("w2w {}\nLibTorch {}\ndevices: cpu ({}, {} threads)\n", version(), torch_version(),
                     cpu_capability(), std::thread::hardware_concurrency());
}

}  // namespace w2w::cli
