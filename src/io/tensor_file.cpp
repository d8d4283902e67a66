#include "w2w/io/tensor_file.h"

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "w2w/base/device.h"
#include "w2w/base/error.h"
#include "w2w/io/mapped_file.h"
#include "w2w/io/torch_value.h"

namespace w2w {
namespace {

/// Collects the tensors of a tree, naming each by its keys and indices joined with dots.
class Flattener {
 public:
  explicit Flattener(const std::filesystem::path& path) : path_(path) {}

  TensorMap flatten(const Value& root) {
    collect(unwrap(root), "");
    if (tensors_.empty())
      throw Error(ErrorKind::malformed,
                  "no tensors in torch file (" + path_.string() + "): found " + root.description());
    return std::move(tensors_);
  }

 private:
  static bool holds_tensors(const Value& value) {
    if (value.tensor()) return true;
    if (value.dict()) {
      for (const auto& [key, item] : value.dict()->items)
        if (holds_tensors(item)) return true;
    }
    if (value.list()) {
      for (const Value& item : *value.list())
        if (holds_tensors(item)) return true;
    }
    return false;
  }

  /// {"state_dict": {...}, "epoch": 3} stands for the state dict: the dict within, when nothing beside it
  /// holds tensors.
  static const Value& unwrap(const Value& value) {
    const Value* only = nullptr;
    if (value.dict()) {
      for (const auto& [key, item] : value.dict()->items) {
        if (!holds_tensors(item)) continue;
        if (only) return value;
        only = &item;
      }
    }
    return only && only->dict() ? unwrap(*only) : value;
  }

  void collect(const Value& value, const std::string& name) {
    const std::string prefix = name.empty() ? "" : name + ".";
    if (value.tensor() && !tensors_.emplace(name, *value.tensor()).second)
      throw Error(ErrorKind::malformed, "two tensors are named '" + name + "' (" + path_.string() + ")");
    if (value.list()) {
      for (size_t i = 0; i < value.list()->size(); ++i)
        collect((*value.list())[i], prefix + std::to_string(i));
    }
    if (value.dict()) {
      for (const auto& [key, item] : value.dict()->items) {
        if (key.text()) collect(item, prefix + *key.text());
        if (key.integer()) collect(item, prefix + std::to_string(*key.integer()));
      }
    }
  }

  const std::filesystem::path& path_;
  TensorMap tensors_;
};

/// "f32 [3, any]"
std::string form_text(c10::ScalarType dtype, c10::IntArrayRef shape) {
  std::vector<std::string> lengths;
  for (const auto length : shape) lengths.push_back(length < 0 ? "any" : std::to_string(length));
  return fmt::format("{} [{}]", dtype_name(dtype), fmt::join(lengths, ", "));
}

}  // namespace

const at::Tensor& expect_tensor(const TensorMap& tensors, const std::string& name, c10::ScalarType dtype,
                                c10::IntArrayRef shape, const std::string& where, const std::string& hint) {
  const auto found = tensors.find(name);
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorKind::malformed,
                fmt::format("{}: expected '{}' as {}, found {}", where, name, form_text(dtype, shape), what),
                hint);
  };
  if (found == tensors.end()) fail("none");
  const auto& tensor = found->second;
  const bool fits = std::equal(shape.begin(), shape.end(), tensor.sizes().begin(), tensor.sizes().end(),
                               [](int64_t wanted, int64_t size) { return wanted < 0 || wanted == size; });
  if (tensor.scalar_type() != dtype || !fits) fail(form_text(tensor.scalar_type(), tensor.sizes()));
  if (tensor.is_floating_point() && !at::isfinite(tensor).all().item<bool>())
    fail("values that are not finite");
  return tensor;
}

TensorFile read_tensor_file(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const std::string_view start = file->bytes().substr(0, 64);
  // First the '{' after safetensors' header length, which may itself look like a zip's or a pickle's first
  // bytes.
  if (start.size() > 8 && start[8] == '{') return read_safetensors(path);
  if (start.starts_with("PK\3\4") || start.starts_with('\x80'))
    return {Flattener(path).flatten(read_torch_file(path)), {}, "torch"};
  if (start.starts_with("version https://git-lfs"))
    throw Error(ErrorKind::malformed,
                "not a tensor file (" + path.string() + "): it is a Git LFS pointer to the file's content",
                "fetch the content with 'git lfs pull', or download the file itself");
  throw Error(ErrorKind::malformed, "neither a safetensors nor a torch file (" + path.string() + "), of " +
                                        std::to_string(file->size()) + " bytes");
}

}  // namespace w2w
