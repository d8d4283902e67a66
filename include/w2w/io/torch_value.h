#pragma once
// What a torch or pickle file holds, as a tree of plain data. Nothing in it can run.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace w2w {

struct Value;
struct Dict;
struct Object;
using List = std::vector<Value>;

struct Bytes {
  std::string bytes;
};

/// One value; the accessors return null (or nothing) when it is of another kind. Lists also stand for tuples,
/// sets and torch.Size. Copies share what they point to. A tree from a file has no cycles and a bounded
/// depth.
struct Value {
  using Content = std::variant<std::monostate, bool, int64_t, double, std::shared_ptr<const std::string>,
                               std::shared_ptr<const Bytes>, at::Tensor, std::shared_ptr<List>,
                               std::shared_ptr<Dict>, std::shared_ptr<Object>>;
  Content content;

  bool is_null() const { return std::holds_alternative<std::monostate>(content); }
  const std::string* text() const;
  const std::string* bytes() const;
  const at::Tensor* tensor() const { return std::get_if<at::Tensor>(&content); }
  List* list() const;
  Dict* dict() const;
  Object* object() const;
  /// An integer or a bool.
  std::optional<int64_t> integer() const;
  /// Any number.
  std::optional<double> number() const;

  /// The values directly inside: items, keys and values, arguments and state.
  std::vector<Value*> children() const;
  /// The identity of a list, dict or object, shared by its copies; null for the other kinds.
  const void* address() const;
  /// "a list of 3", "the text 'abc'", "a torch.Size": for messages.
  std::string description() const;
};

/// Items in the order of the file. Of a repeated key the last one counts.
struct Dict {
  std::vector<std::pair<Value, Value>> items;
  const Value* find(std::string_view key) const;
};

/// A call of an allowed name that was recorded instead of made, or with null `arguments` the name itself.
struct Object {
  std::string name;  ///< "pandas.core.frame.DataFrame"
  Value arguments;   ///< a list, or null
  Value state;       ///< what __setstate__ would have been given, or null
};

Value make_text(std::string text);
Value make_list(List items);

/// A file of torch.save, zip or legacy. Tensors are views of its mapping: shared storages stay shared,
/// strides are kept. Error(not_found) without the file, Error(malformed) when it is damaged or would need
/// anything but plain data and the names in pickle.cpp's list.
Value read_torch_file(const std::filesystem::path& path);

/// How far a file of torch.save should reach by its first bytes, for one that cannot be read.
struct TorchFileExtent {
  int64_t declared = 0;  ///< bytes, at least; 0: its beginning does not say
  bool cut = false;      ///< it begins as such a file and has no end
};
TorchFileExtent torch_file_extent(const std::filesystem::path& path);

}  // namespace w2w
