#pragma once
#include <c10/core/Event.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "w2w/device/accelerator.h"

namespace w2w {

/// A function of tensors that is called many times. On a device its kernels are recorded at the first call
/// and then repeated as a whole (base/accelerator.h), recorded anew when shapes change; on a CPU it is just
/// called.
class RecordedCall {
 public:
  using Tensors = std::vector<at::Tensor>;

  /// `function` must be the same one in every call, depend on nothing that changes but `inputs` (of which
  /// some may be undefined, always the same ones) and the contents of tensors that stay in place, and must
  /// not wait for the device. The first input is on the device that computes; others may come from the CPU.
  /// An input that is the same object as in the last call must not have changed. On a device the next call
  /// overwrites the result.
  Tensors operator()(const std::function<Tensors(const Tensors&)>& function, const Tensors& inputs);

 private:
  Tensors inputs_, outputs_;
  Tensors given_;                         ///< the last call's: those of the same object need no copy again
  std::unique_ptr<Recording> recording_;  ///< last: it uses the tensors above
};

/// Lets a loop give a device its next step before the last one is done, so that it never waits for work, yet
/// no more than that: progress and interrupts run one step ahead of the work. Nothing on a CPU.
class StepsAhead {
 public:
  explicit StepsAhead(at::Device device);
  /// At the end of each step: until the one before it is done.
  void wait();

 private:
  at::Device device_;
  std::optional<c10::Event> last_;
};

}  // namespace w2w
