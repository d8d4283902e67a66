#include "cli/app/version.h"

#include <ATen/Version.h>
#include <fmt/format.h>
#include <torch/version.h>

#include <thread>

#include "w2w/base/version.h"
#include "w2w/device/accelerator.h"

namespace w2w::cli {

std::string torch_version() { return TORCH_VERSION; }
std::string cpu_capability() { return at::get_cpu_capability(); }

std::string version_text() {
  auto text = fmt::format("w2w {}\nLibTorch {}\ndevices: cpu ({}, {} threads)", version(), torch_version(),
                          cpu_capability(), std::thread::hardware_concurrency());
  if (const auto* cuda = accelerator()) {
    for (const auto& device : cuda->devices()) text += ", " + device.name;
  }
  return text + "\n";
}

}  // namespace w2w::cli
