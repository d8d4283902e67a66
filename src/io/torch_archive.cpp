// Files of torch.save. Zip: NAME/data.pkl and one entry NAME/data/KEY per storage. Legacy: the pickles magic
// number, version, system, data, list of storage keys, then per key a 64-bit element count and the elements.
// Tensors are pickled as _rebuild_tensor_v2(storage, offset, sizes, strides, requires_grad, hooks), storages
// as the persistent id
// ("storage", torch.FloatStorage, KEY, location, element count[, view]).
// Of dtypes without a storage class it is _rebuild_tensor_v3(the same, dtype) over bytes,
// torch.storage.UntypedStorage.

#include <ATen/ops/as_strided.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "io/numpy_values.h"
#include "io/torch_storages.h"
#include "w2w/base/error.h"
#include "w2w/io/mapped_file.h"
#include "w2w/io/pickle.h"
#include "w2w/io/torch_value.h"
#include "w2w/io/zip_file.h"

namespace w2w {
namespace {

constexpr const char* cut_hint = "the file is probably cut short: copy or download it again";

struct Storage {
  at::ScalarType dtype;
  int64_t count;
  int64_t bytes;
  at::Tensor elements;  // [count], once located
};

std::optional<at::ScalarType> storage_dtype(const Value& type) {
  for (const auto& [name, dtype] : torch_storages)
    if (type.object() && type.object()->name == std::string("torch.") + name) return dtype;
  if (type.object() && type.object()->name == "torch.storage.UntypedStorage") return at::kByte;
  return std::nullopt;
}

/// Those of one byte that have no storage class.
std::optional<at::ScalarType> byte_dtype(const Value& name) {
  if (name.object() && name.object()->name == "torch.float8_e4m3fn") return at::kFloat8_e4m3fn;
  if (name.object() && name.object()->name == "torch.float8_e5m2") return at::kFloat8_e5m2;
  return std::nullopt;
}

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : file_(MappedFile::open(path)), where_(path.string()) {}

  Value read() {
    Value root = file_->bytes().starts_with("PK") ? read_zip() : read_legacy();
    visited_.clear();
    build_tensors(root);
    return root;
  }

  /// The pickle comes first in both formats. Of a zip it lies behind a local header of 30 bytes and its name.
  TorchFileExtent extent() {
    TorchFileExtent result;
    std::string_view rest = file_->bytes();
    const bool zip = rest.starts_with("PK\3\4");
    result.cut = rest.empty() || (zip && !has_directory());
    try {
      if (zip) {
        if (rest.size() < 30) return result;
        uint16_t name = 0, extra = 0;
        std::memcpy(&name, rest.data() + 26, sizeof(name));
        std::memcpy(&extra, rest.data() + 28, sizeof(extra));
        if (rest.size() - 30 < size_t{name} + extra) return result;
        rest.remove_prefix(size_t{30} + name + extra);
      } else {
        check_legacy_start(rest);
      }
      find_storages(read_pickle(rest, where_));
    } catch (const Error&) {
      return result;
    }
    result.declared = static_cast<int64_t>(rest.data() - file_->bytes().data());
    for (const auto& [key, storage] : storages_)
      if (__builtin_add_overflow(result.declared, storage.bytes, &result.declared)) return {};
    result.cut = result.cut || result.declared > static_cast<int64_t>(file_->size());
    return result;
  }

 private:
  bool has_directory() const {
    try {
      [[maybe_unused]] const ZipFile whole(file_);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  [[noreturn]] void fail(const std::string& what, const char* hint = "") const {
    throw Error(ErrorKind::malformed, "not a readable torch file (" + where_ + "): " + what, hint);
  }

  // Where the bytes are.

  Value read_zip() {
    const ZipFile zip(file_);
    const auto& entries = zip.entries();
    const std::string& folder = zip.first_folder();
    const auto pickle = entries.find(folder + "data.pkl");
    if (pickle == entries.end()) fail("it is a zip archive without data.pkl");
    if (entries.contains(folder + "constants.pkl"))
      fail("it is a TorchScript program, expected saved tensors");
    if (const auto order = entries.find(folder + "byteorder");
        order != entries.end() && file_->bytes().substr(order->second.offset, order->second.size) != "little")
      fail("its numbers are not little-endian");
    std::string_view bytes = file_->bytes().substr(pickle->second.offset, pickle->second.size);
    Value root = read_pickle(bytes, where_);
    find_storages(root);
    for (auto& [key, storage] : storages_) {
      const auto data = entries.find(folder + "data/" + key);
      if (data == entries.end()) fail("entry data/" + key + " is missing");
      if (data->second.size != static_cast<size_t>(storage.bytes))
        fail(fmt::format("entry data/{} has {} bytes, expected {}", key, data->second.size, storage.bytes));
      storage.elements = tensor_over(file_, data->second.offset, {storage.count}, storage.dtype);
    }
    return root;
  }

  Value read_legacy() {
    std::string_view rest = file_->bytes();
    check_legacy_start(rest);
    Value root = read_pickle(rest, where_);
    find_storages(root);
    const Value keys = read_pickle(rest, where_);
    if (!keys.list()) fail("it has " + keys.description() + " in place of the list of storages");
    for (const Value& key : *keys.list()) {
      const auto known = key.text() ? storages_.find(*key.text()) : storages_.end();
      if (known == storages_.end() || known->second.elements.defined())
        fail("its list of storages has " + key.description() +
             ", which no tensor or an earlier one declares");
      locate_legacy(known->first, known->second, rest);
    }
    for (const auto& [key, storage] : storages_)
      if (!storage.elements.defined()) fail("storage '" + key + "' is missing");
    if (!rest.empty()) fail(fmt::format("{} bytes follow the last storage, expected none", rest.size()));
    return root;
  }

  void check_legacy_start(std::string_view& rest) const {
    const std::string_view magic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
    const Value first = read_pickle(rest, where_);
    const Object* number = first.object();
    if (!number || !number->state.bytes() || *number->state.bytes() != magic)
      fail("it begins with " + first.description() + ", expected torch's magic number");
    if (const Value version = read_pickle(rest, where_); version.integer() != 1001)
      fail("its version is " + version.description() + ", expected 1001");
    const Value system = read_pickle(rest, where_);
    const Value* little = system.dict() ? system.dict()->find("little_endian") : nullptr;
    if (!little || little->integer() != 1) fail("its numbers are not little-endian");
  }

  void locate_legacy(const std::string& key, Storage& storage, std::string_view& rest) const {
    int64_t count = 0;
    if (rest.size() < sizeof(count)) fail("storage '" + key + "' is missing", cut_hint);
    std::memcpy(&count, rest.data(), sizeof(count));
    rest.remove_prefix(sizeof(count));
    if (count != storage.count)
      fail(fmt::format("storage '{}' has {} elements, expected {}", key, count, storage.count));
    if (rest.size() < static_cast<size_t>(storage.bytes))
      fail(fmt::format("storage '{}' needs {} bytes, found {}", key, storage.bytes, rest.size()), cut_hint);
    const auto offset = static_cast<size_t>(rest.data() - file_->bytes().data());
    storage.elements = tensor_over(file_, offset, {storage.count}, storage.dtype);
    rest.remove_prefix(static_cast<size_t>(storage.bytes));
  }

  // What the pickle says.

  /// Enters every storage of the tree in storages_.
  void find_storages(const Value& value) {
    if (value.address() && !visited_.insert(value.address()).second) return;
    if (value.object() && value.object()->name == "persistent_id") declare(value.object()->arguments);
    for (const Value* child : value.children()) find_storages(*child);
  }

  void declare(const Value& id) {
    const List* list = id.list();
    if (!list || list->size() < 5 || !(*list)[0].text() || *(*list)[0].text() != "storage")
      fail("it refers to " + id.description() + ", expected a storage");
    const auto dtype = storage_dtype((*list)[1]);
    if (!dtype) fail("a storage is of " + (*list)[1].description() + ", which is not a supported type");
    const auto count = (*list)[4].integer();
    const auto bytes = count ? checked_byte_count({*count}, *dtype) : std::nullopt;
    if (!(*list)[2].text() || !bytes) fail("a storage has no usable key or element count");
    if (list->size() > 5 && !(*list)[5].is_null())
      fail("it uses storage views of torch 0.3, which are not supported");
    const auto& [key, known] =
        *storages_.try_emplace(*(*list)[2].text(), Storage{*dtype, *count, *bytes, {}}).first;
    if (known.dtype != *dtype || known.count != *count)
      fail("storage '" + key + "' is declared twice in different ways");
  }

  /// Replaces recorded calls of torch and numpy by what they would have made; every other object stays.
  void build_tensors(Value& value) {
    if (value.address() && !visited_.insert(value.address()).second) {
      replace(value);
      return;
    }
    for (Value* child : value.children()) build_tensors(*child);
    replace(value);
  }

  void replace(Value& value) {
    const Object* call = value.object();
    if (!call || call->arguments.is_null()) return;
    if (const auto built = built_.find(call); built != built_.end()) {
      value = Value(built->second);
    } else if (auto made = result_of(*call)) {
      built_[call] = *made;
      calls_.push_back(std::move(value));  // so that no other call gets its address
      value = std::move(*made);
    }
  }

  std::optional<Value> result_of(const Object& call) const {
    const List* arguments = call.arguments.list();
    const auto expect = [&](size_t count) {
      if (!arguments || arguments->size() < count) fail("it calls " + call.name + " with too few arguments");
    };
    if (call.name == "torch._utils._rebuild_tensor_v2" || call.name == "torch._utils._rebuild_tensor") {
      expect(4);
      return Value{tensor(*arguments)};
    }
    if (call.name == "torch._utils._rebuild_tensor_v3") {
      expect(7);
      const auto dtype = byte_dtype((*arguments)[6]);
      const auto bytes = tensor(*arguments);
      if (!dtype || bytes.scalar_type() != at::kByte)
        fail("a tensor is of " + (*arguments)[6].description() + ", which is not a supported type");
      return Value{bytes.view(*dtype)};
    }
    if (call.name == "torch._utils._rebuild_parameter" || call.name == "torch.Size" ||
        call.name == "torch._utils._rebuild_parameter_with_state") {
      expect(1);
      return arguments->front();
    }
    if (call.name == "torch._tensor._rebuild_from_type_v2") {  // (function, type, its arguments, attributes)
      expect(3);
      const Object* function = (*arguments)[0].object();
      if (!function) fail("it calls " + call.name + " with " + (*arguments)[0].description());
      return result_of({function->name, (*arguments)[2], {}});
    }
    return numpy_value(call, where_);
  }

  at::Tensor tensor(const List& arguments) const {
    const Object* id = arguments[0].object();
    if (!id || id->name != "persistent_id") fail("a tensor has no storage but " + arguments[0].description());
    const Storage& storage = storages_.at(*(*id->arguments.list())[2].text());
    const auto offset = arguments[1].integer();
    const auto sizes = integers(arguments[2]), strides = integers(arguments[3]);
    if (!offset || *offset < 0 || sizes.size() != strides.size() || !checked_byte_count(sizes, storage.dtype))
      fail("a tensor has no usable offset, sizes and strides");
    check_extent(storage, *offset, sizes, strides);
    return at::as_strided(storage.elements, sizes, strides, offset);
  }

  std::vector<int64_t> integers(const Value& value) const {
    std::vector<int64_t> result;
    if (!value.list()) fail("a tensor's shape is " + value.description());
    for (const Value& item : *value.list()) {
      if (!item.integer()) fail("a tensor's shape has " + item.description());
      result.push_back(*item.integer());
    }
    return result;
  }

  /// The last element that sizes and strides reach lies in the storage.
  void check_extent(const Storage& storage, int64_t offset, const std::vector<int64_t>& sizes,
                    const std::vector<int64_t>& strides) const {
    int64_t last = offset;
    bool empty = false, overflow = false;
    for (size_t i = 0; i < sizes.size(); ++i) {
      int64_t reach = 0;
      if (strides[i] < 0) fail("a tensor has a negative stride");
      empty |= sizes[i] == 0;
      overflow |= __builtin_mul_overflow(std::max<int64_t>(sizes[i] - 1, 0), strides[i], &reach) ||
                  __builtin_add_overflow(last, reach, &last);
    }
    if (overflow || (empty ? offset > storage.count : last >= storage.count))
      fail(fmt::format("a tensor reaches beyond its storage of {} elements", storage.count));
  }

  std::shared_ptr<const MappedFile> file_;
  std::string where_;
  std::map<std::string, Storage> storages_;
  std::unordered_set<const void*> visited_;
  std::unordered_map<const Object*, Value> built_;
  List calls_;  // those in built_
};

}  // namespace

Value read_torch_file(const std::filesystem::path& path) { return Reader(path).read(); }

TorchFileExtent torch_file_extent(const std::filesystem::path& path) { return Reader(path).extent(); }

}  // namespace w2w
