#include "w2w/device/accelerator.h"

#include <dlfcn.h>

namespace w2w {
namespace {

struct Loaded {
  Accelerator* accelerator = nullptr;
  std::string problem;
};

/// The plug-in must be loaded before ATen first looks for CUDA: it remembers what it finds.
Loaded load() {
  if (!dlopen("libcuda.so.1", RTLD_LAZY)) return {nullptr, "there is no NVIDIA driver (libcuda.so.1)"};
  void* library = dlopen("libw2w_cuda.so", RTLD_NOW | RTLD_GLOBAL);
  if (!library) {
    const std::string reason = dlerror();
    const bool absent = reason.find("libw2w_cuda.so: cannot open") != reason.npos;
    return {nullptr, absent ? "this build of w2w has no CUDA plug-in (libw2w_cuda.so)"
                            : "the CUDA plug-in cannot be loaded: " + reason};
  }
  using Make = Accelerator* (*)(std::string&);
  const auto make = reinterpret_cast<Make>(dlsym(library, "w2w_accelerator"));
  if (!make) return {nullptr, "libw2w_cuda.so belongs to another version of w2w"};
  Loaded loaded;
  loaded.accelerator = make(loaded.problem);
  return loaded;
}

Accelerator* host_accelerator = nullptr;

const Loaded& loaded() {
  static const Loaded once = load();
  return once;
}

}  // namespace

Accelerator* accelerator() { return loaded().accelerator; }
Accelerator* accelerator_of(at::Device device) { return device.is_cpu() ? host_accelerator : accelerator(); }
void set_host_accelerator(Accelerator* host) { host_accelerator = host; }
const std::string& accelerator_problem() { return loaded().problem; }

}  // namespace w2w
