#pragma once
// What the program does for a GPU alone (base/accelerator.h), on the CPU: operators by ATen's own, and
// recordings that behave as CUDA graphs do. So everything but kernels and driver is tested where there is
// no GPU.

#include "w2w/device/accelerator.h"

namespace w2w::test {

/// The accelerator of the CPU while it lives.
///
/// A recording holds the operators that ran beneath autograd, with the tensors and numbers they were given,
/// and what they returned. Replayed, each writes where it wrote then: what changed on the host since is not
/// seen, what changed in place is. Asking a tensor for its value while recording is an error, as it is for a
/// device that is being captured.
class HostAccelerator : public Accelerator {
 public:
  HostAccelerator() { set_host_accelerator(this); }
  ~HostAccelerator() override { set_host_accelerator(nullptr); }

  /// What runs now beneath ATen's operators is part of the recording that is being made, if one is.
  static void also_record(std::function<void()> call);

  int recordings() const { return recordings_; }
  int replays() const { return replays_; }

  std::vector<DeviceFacts> devices() const override { return {}; }
  void choose(int) override {}
  void wait() override {}
  std::unique_ptr<Recording> record(const std::function<void()>& work) override;

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
  int recordings_ = 0, replays_ = 0;
};

}  // namespace w2w::test
