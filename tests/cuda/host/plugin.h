#pragma once
#include "device.h"
#include "support/host_accelerator.h"

namespace w2w::test {

/// The plug-in without a GPU: its operators, and its kernels on the CPU (device.h), recorded as a device
/// would record them.
class HostPlugin : public HostAccelerator {
 public:
  at::Tensor group_norm(const at::Tensor& x, const Shift& shift, int64_t groups, const at::Tensor& weight,
                        const at::Tensor& bias, double eps, bool silu) override;
  at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                         const at::Tensor& addend, int64_t stride, int64_t padding) override;
  at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    const at::Tensor& addend) override;
  at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        double eps) override;
  at::Tensor geglu(const at::Tensor& x) override;
  at::Tensor upsample(const at::Tensor& x, at::IntArrayRef size) override;

 private:
  on_host::Watch watch_{
      [](const on_host::Launch& launch) { also_record([launch] { on_host::run(launch); }); }};
};

}  // namespace w2w::test
