#include "support/host_accelerator.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <torch/library.h>

#include <algorithm>
#include <functional>
#include <stdexcept>

namespace w2w::test {
namespace {

using at::Tensor;
using c10::DispatchKey;
using torch::jit::Stack;

/// A dispatch key beneath autograd and above the CPU's kernels, which nothing else in this process uses.
constexpr auto recording_key = DispatchKey::Fake;

std::vector<std::function<void()>>* recording_now = nullptr;

std::vector<Tensor> tensors_in(const Stack& values) {
  std::vector<Tensor> all;
  for (const auto& value : values) {
    if (value.isTensor() && value.toTensor().defined()) all.push_back(value.toTensor());
    if (value.isTensorList()) {
      for (const Tensor& one : value.toTensorList()) all.push_back(one);
    }
  }
  return all;
}

/// Lists are shared: the kernels' own may change.
Stack copy_of(const Stack& values) {
  Stack copies;
  for (const auto& value : values) {
    copies.push_back(value.isTensorList() ? c10::IValue(value.toTensorList().copy()) : value);
  }
  return copies;
}

/// Calls `op` again and writes what it returns into `outputs`, unless it has been written there.
void repeat(const c10::OperatorHandle& op, const Stack& inputs, const Stack& outputs) {
  auto stack = copy_of(inputs);
  op.callBoxed(&stack);
  const auto given = tensors_in(inputs), then = tensors_in(outputs), now = tensors_in(stack);
  for (size_t i = 0; i < then.size(); ++i) {
    const auto is_of = [&](const Tensor& input) { return then[i].is_alias_of(input); };
    if (std::none_of(given.begin(), given.end(), is_of)) then[i].copy_(now[i]);
  }
}

void record_call(const c10::OperatorHandle& op, c10::DispatchKeySet keys, Stack* stack) {
  const std::string name = op.schema().name();
  if (name == "aten::_local_scalar_dense" || name == "aten::equal" || name == "aten::is_nonzero") {
    throw std::logic_error(name + " waits for the device while it records");
  }
  const auto count = static_cast<std::ptrdiff_t>(op.schema().arguments().size());
  auto inputs = copy_of(Stack(stack->end() - count, stack->end()));
  {
    const c10::impl::ExcludeDispatchKeyGuard once(recording_key);
    op.redispatchBoxed(keys & c10::DispatchKeySet(c10::DispatchKeySet::FULL_AFTER, recording_key), stack);
  }
  const auto returned = static_cast<std::ptrdiff_t>(op.schema().returns().size());
  recording_now->push_back(
      [op, inputs = std::move(inputs), outputs = copy_of(Stack(stack->end() - returned, stack->end()))] {
        repeat(op, inputs, outputs);
      });
}

TORCH_LIBRARY_IMPL(_, Fake, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&record_call>());
}

/// Weights and shifts get no gradient from a device (base/accelerator.h).
Tensor constant(const Tensor& x) { return x.defined() ? x.detach() : x; }

/// The plug-in does not broadcast.
Tensor plus(const Tensor& addend, const Tensor& y) {
  if (!addend.defined()) return y;
  TORCH_CHECK(addend.sizes() == y.sizes(), "an addend of ", addend.sizes(), " for ", y.sizes());
  return y + addend;
}

class HostRecording : public Recording {
 public:
  HostRecording(const std::function<void()>& work, int& replays) : replays_(replays) {
    for (int i = 0; i < 3; ++i) work();  // as the plug-in does
    const c10::impl::IncludeDispatchKeyGuard guard(recording_key);
    recording_now = &calls_;
    const std::unique_ptr<void, void (*)(void*)> done(this, [](void*) { recording_now = nullptr; });
    work();
  }

  void replay() override {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    for (const auto& call : calls_) call();
    ++replays_;
  }

 private:
  std::vector<std::function<void()>> calls_;
  int& replays_;
};

}  // namespace

void HostAccelerator::also_record(std::function<void()> call) {
  if (recording_now) recording_now->push_back(std::move(call));
}

std::unique_ptr<Recording> HostAccelerator::record(const std::function<void()>& work) {
  ++recordings_;
  return std::make_unique<HostRecording>(work, replays_);
}

Tensor HostAccelerator::group_norm(const Tensor& x, const Shift& shift, int64_t groups, const Tensor& weight,
                                   const Tensor& bias, double eps, bool silu) {
  auto shifted = x;
  if (shift.of_channels.defined()) shifted = shifted + constant(shift.of_channels).view({1, -1, 1, 1});
  if (shift.of_samples.defined()) shifted = shifted + constant(shift.of_samples).unsqueeze(-1).unsqueeze(-1);
  const auto y = at::group_norm(shifted, groups, constant(weight), constant(bias), eps);
  return silu ? at::silu(y) : y;
}

Tensor HostAccelerator::convolution(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                    const Tensor& addend, int64_t stride, int64_t padding) {
  TORCH_CHECK(bias.defined() || !addend.defined(), "an addend without a bias");
  const auto y = at::conv2d(x, constant(weight), constant(bias), {stride, stride}, {padding, padding});
  return plus(addend, y);
}

Tensor HostAccelerator::linear(const Tensor& x, const Tensor& weight, const Tensor& bias,
                               const Tensor& addend) {
  const auto y = at::linear(x, constant(weight), constant(bias));
  return plus(addend, y);
}

Tensor HostAccelerator::layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  return at::layer_norm(x, weight.sizes(), constant(weight), constant(bias), eps);
}

Tensor HostAccelerator::geglu(const Tensor& x) {
  const auto parts = x.chunk(2, -1);
  return parts[0] * at::gelu(parts[1]);
}

Tensor HostAccelerator::upsample(const Tensor& x, at::IntArrayRef size) {
  return at::upsample_nearest2d(x, size);
}

}  // namespace w2w::test
