#include "w2w/device/recorded_call.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>

namespace w2w {
namespace {

bool same_form(const at::Tensor& a, const at::Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type();
}

}  // namespace

RecordedCall::Tensors RecordedCall::operator()(const std::function<Tensors(const Tensors&)>& function,
                                               const Tensors& inputs) {
  auto* accelerator = accelerator_of(inputs.front());
  if (!accelerator) return function(inputs);
  if (!recording_ || !std::equal(inputs.begin(), inputs.end(), inputs_.begin(), inputs_.end(), same_form)) {
    recording_.reset();
    inputs_.clear();
    given_.assign(inputs.size(), at::Tensor());
    for (const auto& input : inputs) {
      inputs_.push_back(input.defined() ? input.to(inputs.front().device(), false, true) : at::Tensor());
    }
    recording_ = accelerator->record([&] { outputs_ = function(inputs_); });
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].defined() && !inputs[i].is_same(given_[i])) inputs_[i].copy_(inputs[i]);
    given_[i] = inputs[i];
  }
  recording_->replay();
  return outputs_;
}

StepsAhead::StepsAhead(at::Device device) : device_(device) {}

void StepsAhead::wait() {
  if (device_.is_cpu()) return;
  c10::Event done(device_.type());
  done.record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
  if (last_) last_->synchronize();
  last_ = std::move(done);
}

}  // namespace w2w
