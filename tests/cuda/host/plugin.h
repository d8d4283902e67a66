#pragma once
#include "cuda/operators.h"
#include "device.h"
#include "support/host_accelerator.h"

namespace w2w::test {

/// The plug-in without a GPU: its operators, and its kernels on the CPU (device.h), recorded as a device
/// would record them.
class HostPlugin : public cuda::WithOperators<HostAccelerator> {
  on_host::Watch watch_{
      [](const on_host::Launch& launch) { also_record([launch] { on_host::run(launch); }); }};
};

}  // namespace w2w::test
