#pragma once
#include <map>
#include <string>

#include "w2w/lora/factors.h"

namespace w2w {

/// Turns a loaded model into a person and back, in milliseconds: the weights of the touched matrices are
/// replaced by base + scale * up @ down, everything else stays where it is. On a CPU the base weights
/// themselves are never written to, so they may be views of a read-only file; on a device they are copied,
/// and the live weights change in place, where recorded work (base/accelerator.h) looks for them.
class Adapter {
 public:
  /// `parameters` by key ("MODULE.weight", ...): handles shared with the model's layers.
  explicit Adapter(std::map<std::string, at::Tensor> parameters) : parameters_(std::move(parameters)) {}

  /// The model becomes base + `lora`, whatever it was before. Error(failure) when a module is not in the
  /// model or its shape differs.
  void apply(const Lora& lora);
  /// The base model again.
  void clear() { apply({}); }

 private:
  struct Touched {
    at::Tensor base, baked;
  };
  std::map<std::string, at::Tensor> parameters_;
  std::map<std::string, Touched> touched_;  ///< by module
};

}  // namespace w2w
