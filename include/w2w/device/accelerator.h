#pragma once
// What libw2w_cuda.so gives the rest of the program. The plug-in is looked for when a device is first asked
// for, so that the program itself needs neither a driver nor the half gigabyte of LibTorch's CUDA library.

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace w2w {

struct DeviceFacts {
  std::string name;          ///< "NVIDIA H200"
  int64_t memory = 0;        ///< bytes
  int major = 0, minor = 0;  ///< compute capability
};

/// Work on a device that was recorded once and is repeated as a whole: one launch instead of hundreds.
class Recording {
 public:
  virtual ~Recording() = default;
  /// The same kernels on the same memory. Does not wait for them.
  virtual void replay() = 0;
};

/// What is added to an image before it is normalised; either may be undefined.
struct Shift {
  at::Tensor of_channels = {};  ///< [C]
  at::Tensor of_samples = {};   ///< [B or 1, C]
};

class Accelerator {
 public:
  virtual ~Accelerator() = default;
  virtual std::vector<DeviceFacts> devices() const = 0;

  /// Makes device `index` the current one. Convolutions on it take only algorithms that give the same in
  /// every run, and f32 is not rounded to TF32.
  virtual void choose(int index) = 0;
  /// Waits until all work given to the current device is done.
  virtual void wait() = 0;

  /// Runs `work` a few times, then records it. It reads and writes tensors whose places do not change, must
  /// not wait for the device, and keeps what it makes in tensors that live as long as the recording.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& work) = 0;

  // Operators, in as few passes over their data as the device allows. Those of images take x [B, C, H, W]
  // and are fastest where it is channels_last, as their results are.

  /// Group norm of x + shift, with or without SiLU behind it; differentiable in x.
  virtual at::Tensor group_norm(const at::Tensor& x, const Shift& shift, int64_t groups,
                                const at::Tensor& weight, const at::Tensor& bias, double eps, bool silu) = 0;
  /// conv(x) + bias + addend for weight [out, C, k, k], bias [out] and addend of the result's shape; bias and
  /// addend may be undefined, but an addend needs a bias. Differentiable in x and addend.
  virtual at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                 const at::Tensor& addend, int64_t stride, int64_t padding) = 0;
  /// x W^T + bias + addend for x [..., in], weight [out, in], bias [out] and addend [..., out], of which the
  /// last two may be undefined; differentiable in x and addend.
  virtual at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            const at::Tensor& addend) = 0;
  /// Layer norm over the last dimension; differentiable in x.
  virtual at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                double eps) = 0;
  /// x [..., :w] * gelu(x [..., w:]) for x [..., 2 w]; differentiable in x.
  virtual at::Tensor geglu(const at::Tensor& x) = 0;
  /// x [B, C, H, W] at `size` [H', W'] by nearest neighbour; differentiable in x.
  virtual at::Tensor upsample(const at::Tensor& x, at::IntArrayRef size) = 0;
};

/// The plug-in, loaded at the first call; null where it or its driver is missing, or there is no device.
Accelerator* accelerator();
/// What computes with tensors of a device: the plug-in for CUDA, nothing for the CPU.
Accelerator* accelerator_of(at::Device device);
inline Accelerator* accelerator_of(const at::Tensor& x) { return accelerator_of(x.device()); }
/// For tests where there is no GPU: what is done for one is done on the CPU by `host`, until it is null
/// again.
void set_host_accelerator(Accelerator* host);
/// Why there is none, as the end of a sentence; empty when there is one.
const std::string& accelerator_problem();

}  // namespace w2w
