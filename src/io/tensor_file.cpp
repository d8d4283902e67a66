#include "w2w/io/tensor_file.h"

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "w2w/base/error.h"
#include "w2w/device/device.h"
#include "w2w/io/mapped_file.h"
#include "w2w/io/torch_value.h"

namespace w2w {
namespace {

/// Collects the tensors of a tree, naming each by its keys and indices joined with dots.
class Flattener {
 public:
  explicit Flattener(const std::filesystem::path& path) : path_(path) {}

  TensorMap flatten(const Value& root) {
    if (root.dict() && root.dict()->find("string_to_param")) {
      throw Error(ErrorKind::malformed,
                  "not a model or LoRA (" + path_.string() + "): it is an embedding of textual inversion",
                  "an embedding adds a word to the prompt; it is neither a model nor a LoRA");
    }
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

/// What came instead of a file of tensors, with the next step.
std::optional<std::pair<std::string, std::string>> other_than_tensors(std::string_view bytes) {
  if (bytes.empty()) return {{"empty", "its download or copy failed: download it again"}};
  constexpr const char *other_file = "give the model's or LoRA's .safetensors, .ckpt, .bin or .pt file",
                       *unpack = "unpack it and give the file inside";
  constexpr std::tuple<std::string_view, const char*, const char*> kinds[] = {
      {"GGUF", "a GGUF file", "w2w reads the same model as .safetensors, .ckpt or a diffusers folder"},
      {"\x89PNG", "a PNG picture", other_file},
      {"\xff\xd8\xff", "a JPEG picture", other_file},
      {"RIFF", "a picture or sound (RIFF)", other_file},
      {"\x1f\x8b", "a gzip archive", unpack},
      {"7z\xbc\xaf", "a 7-Zip archive", unpack},
      {"Rar!", "a RAR archive", unpack},
  };
  const bool header = bytes.size() > 8 && bytes[8] == '{';  // of safetensors, whatever its length looks like
  for (const auto& [beginning, what, hint] : kinds)
    if (!header && bytes.starts_with(beginning)) return {{what, hint}};
  if (bytes.size() >= 64 && bytes.substr(0, 64).find_first_not_of('\0') == bytes.npos)
    return {{"a file that begins with zeros only", "its download did not finish: download it again"}};
  if (bytes.substr(0, 8).find('\0') != bytes.npos) return {};  // the length of a safetensors header
  if (bytes.starts_with("version https://git-lfs")) {
    return {{"a Git LFS pointer to the file's content",
             "fetch the content with 'git lfs pull', or download the file itself"}};
  }
  auto text = bytes.substr(0, 1024);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  std::string head(text.substr(0, 80));
  std::replace_if(
      head.begin(), head.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, ' ');
  auto lower = head;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const char* tag : {"<!doctype html", "<html", "<head", "<?xml", "<!--"}) {
    if (lower.starts_with(tag)) {
      return {{"a web page",
               "the download saved a web page instead of the file: use the direct link to the file, and log "
               "in if the site asks you to"}};
    }
  }
  if (lower.starts_with("{") || lower.starts_with("[")) {
    return {
        {"JSON text, which begins with " + head,
         "the download saved a server's reply instead of the file, or this is another file of the model"}};
  }
  return {};
}

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
  if (const auto problem = other_than_tensors(file->bytes())) {
    throw Error(ErrorKind::malformed, "not a tensor file (" + path.string() + "): it is " + problem->first,
                problem->second);
  }
  // First the '{' after safetensors' header length, which may itself look like a zip's or a pickle's first
  // bytes.
  if (start.size() > 8 && start[8] == '{') return read_safetensors(path);
  if (start.starts_with("PK\3\4") || start.starts_with('\x80'))
    return {Flattener(path).flatten(read_torch_file(path)), {}, "torch"};
  throw Error(ErrorKind::malformed,
              "neither a safetensors nor a torch file (" + path.string() + "), of " +
                  std::to_string(file->size()) + " bytes",
              "models and LoRAs are .safetensors, .ckpt, .bin or .pt files");
}

}  // namespace w2w
