#include "w2w/nn/weights.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"
#include "w2w/nn/layers.h"

namespace w2w::nn {
namespace {

constexpr size_t shown = 4;
constexpr size_t most_missing = 1000;  // a config.json that asks for millions of layers ends here

std::string first_few(const std::vector<std::string>& items) {
  const std::vector<std::string> head(items.begin(), items.begin() + std::min(shown, items.size()));
  return fmt::format("{}{}", fmt::join(head, "; "),
                     items.size() > shown ? fmt::format("; and {} more", items.size() - shown) : "");
}

/// Whether a matrix or kernel ends with zeros: space that was reserved for a download which never came, or
/// all of it. Trained ones do not, but for rows of embeddings that no token has.
bool is_blank(const std::string& name, const at::Tensor& tensor) {
  constexpr size_t most = 4096;  // bytes
  if (tensor.dim() < 2 || tensor.numel() == 0 || !tensor.is_cpu() || !tensor.is_contiguous()) return false;
  if (name.find("embedding.weight") != name.npos) return false;
  const auto* end = static_cast<const char*>(tensor.const_data_ptr()) + tensor.nbytes();
  return std::all_of(end - std::min(most, tensor.nbytes()), end, [](char byte) { return byte == 0; });
}

}  // namespace

Weights::Weights(std::map<std::string, at::Tensor> tensors, std::string origin, at::TensorOptions options,
                 std::function<void(const at::Tensor&)> release)
    : tensors_(std::move(tensors)),
      origin_(std::move(origin)),
      options_(options),
      release_(std::move(release)) {}

at::Tensor Weights::take(const std::string& name, at::IntArrayRef shape) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    missing_.push_back(name);
    if (missing_.size() >= most_missing) finish();
    return at::empty({0});
  }
  auto source = found->second;
  tensors_.erase(found);
  if (source.sizes() != shape) {
    misshapen_.push_back(fmt::format("{} is [{}], expected [{}]", name, fmt::join(source.sizes(), ", "),
                                     fmt::join(shape, ", ")));
    return at::empty({0});
  }
  if (is_blank(name, source)) blank_.push_back(name);
  auto tensor = source.to(options_.device()).to(options_);  // a device converts faster than the CPU
  // cuDNN would turn kernels to this order in every call.
  if (tensor.dim() == 4 && tensor.is_cuda()) tensor = tensor.contiguous(at::MemoryFormat::ChannelsLast);
  if (!tensor.is_same(source) && release_) release_(source);
  taken_.emplace(name, tensor);
  return tensor;
}

std::shared_ptr<LowRankBranch> Weights::branch(const std::string& module) {
  auto& branch = branches_[module];
  if (!branch) branch = std::make_shared<LowRankBranch>();
  return branch;
}

void Weights::check_whole() const {
  if (blank_.empty()) return;
  throw Error(
      ErrorKind::malformed,
      fmt::format("weights are incomplete ({}): expected trained values, found zeros at the end of {}",
                  origin_, first_few(blank_)),
      "the download is probably incomplete: download the file again");
}

void Weights::finish() const {
  if (missing_.empty() && misshapen_.empty() && tensors_.empty()) return check_whole();
  std::vector<std::string> left, problems;
  for (const auto& [name, tensor] : tensors_) left.push_back(name);
  if (!misshapen_.empty()) problems.push_back("wrong shape: " + first_few(misshapen_));
  if (!missing_.empty()) {
    auto described = missing_;
    for (size_t i = 0; i < std::min(shown, described.size()); ++i) {
      if (const auto near = nearest_name(described[i], left))
        described[i] += " (nearest in the file: " + *near + ")";
    }
    problems.push_back("missing: " + first_few(described));
  }
  if (!left.empty()) problems.push_back("not part of the model: " + first_few(left));
  throw Error(
      ErrorKind::malformed,
      fmt::format("weights do not fit the model's config.json ({}): {}", origin_, fmt::join(problems, ". ")),
      "check that config.json and the weights belong to the same model");
}

}  // namespace w2w::nn
