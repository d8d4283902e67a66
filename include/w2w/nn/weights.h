#pragma once
// Strict loading: layers are built by walking the checkpoint's own names, so the path of a member is its key.

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace w2w::nn {

struct LowRankBranch;

/// The weights of one model on their way into its layers. Layers `take` what they need; problems are
/// collected, and `finish` throws once about all of them.
class Weights {
 public:
  /// `origin` names the file in errors. Every tensor arrives in the dtype and on the device of `options`; one
  /// that already is stays a view of its file. `release` is told of each source that was copied and is no
  /// longer needed.
  Weights(std::map<std::string, at::Tensor> tensors, std::string origin, at::TensorOptions options,
          std::function<void(const at::Tensor&)> release = {});

  at::Tensor take(const std::string& name, at::IntArrayRef shape);
  bool has(const std::string& name) const { return tensors_.contains(name); }

  /// Error(malformed) if a key was missing, left over, or of another shape: the first few of each, with the
  /// nearest names; also if matrices or kernels end with zeros, as in a file whose download was not finished.
  void finish() const;

  /// Everything taken so far, by key. The handles are shared with the layers.
  const std::map<std::string, at::Tensor>& taken() const { return taken_; }

  /// The branches of all linear layers built so far, by module name, shared with the layers.
  std::shared_ptr<LowRankBranch> branch(const std::string& module);
  const std::map<std::string, std::shared_ptr<LowRankBranch>>& branches() const { return branches_; }

 private:
  void check_whole() const;

  std::map<std::string, at::Tensor> tensors_, taken_;
  std::map<std::string, std::shared_ptr<LowRankBranch>> branches_;
  std::string origin_;
  at::TensorOptions options_;
  std::function<void(const at::Tensor&)> release_;
  std::vector<std::string> missing_, misshapen_, blank_;
};

/// A path into the weights: `scope / "attn1" / "to_q"`.
class Scope {
 public:
  explicit Scope(Weights& weights, std::string prefix = {})
      : weights_(&weights), prefix_(std::move(prefix)) {}

  Scope operator/(const std::string& name) const { return Scope(*weights_, join(name)); }
  Scope operator/(int64_t index) const { return *this / std::to_string(index); }
  at::Tensor take(const std::string& name, at::IntArrayRef shape) const {
    return weights_->take(join(name), shape);
  }
  bool has(const std::string& name) const { return weights_->has(join(name)); }
  std::shared_ptr<LowRankBranch> branch() const { return weights_->branch(prefix_); }

 private:
  std::string join(const std::string& name) const { return prefix_.empty() ? name : prefix_ + "." + name; }

  Weights* weights_;
  std::string prefix_;
};

}  // namespace w2w::nn
