// The safetensors format: u64 little-endian header length N, N bytes of JSON, the tensors' bytes.
// Header: {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [BEGIN, END]}, "__metadata__": {"KEY":
// "TEXT"}}, offsets counted from the first byte after the header.

#include <ATen/ops/empty.h>
#include <c10/core/ScalarType.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "io/json_file.h"
#include "io/safetensors_header.h"
#include "io/text_encoding.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"
#include "w2w/base/sha256.h"
#include "w2w/device/device.h"
#include "w2w/io/mapped_file.h"
#include "w2w/io/tensor_file.h"

namespace w2w {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr uint64_t max_header_length = 100'000'000;
constexpr const char* metadata_key = "__metadata__";
constexpr const char* cut_hint = "the file is probably cut short: copy or download it again";

constexpr std::array<std::pair<const char*, at::ScalarType>, 15> dtypes{{
    {"F64", at::kDouble},
    {"F32", at::kFloat},
    {"F16", at::kHalf},
    {"BF16", at::kBFloat16},
    {"F8_E4M3", at::kFloat8_e4m3fn},
    {"F8_E5M2", at::kFloat8_e5m2},
    {"I64", at::kLong},
    {"I32", at::kInt},
    {"I16", at::kShort},
    {"I8", at::kChar},
    {"U64", at::kUInt64},
    {"U32", at::kUInt32},
    {"U16", at::kUInt16},
    {"U8", at::kByte},
    {"BOOL", at::kBool},
}};

/// What the header says of one tensor. Not validated yet.
struct Entry {
  std::string name;
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  uint64_t begin, end;
};

/// What json::parse lets pass. A pass of its own: a callback of json::parse takes time that is quadratic in
/// the number of tensors.
class KeyCheck : public json::json_sax_t {
 public:
  explicit KeyCheck(std::function<void(const std::string&)> fail) : fail_(std::move(fail)) {}

  bool start_object(size_t) override {
    keys_.emplace_back();
    return deeper();
  }
  bool end_object() override {
    keys_.pop_back();
    return --depth_ >= 0;
  }
  bool key(std::string& name) override {
    if (!keys_.back().insert(name).second) fail_("key '" + name + "' appears twice");
    return true;
  }
  bool start_array(size_t) override { return deeper(); }
  bool end_array() override { return --depth_ >= 0; }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(int64_t) override { return true; }
  bool number_unsigned(uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(json::binary_t&) override { return true; }
  bool parse_error(size_t, const std::string&, const json::exception&) override { return false; }

 private:
  bool deeper() {
    constexpr int deepest = 3;
    if (++depth_ > deepest) fail_("the header is nested deeper than the format allows");
    return true;
  }

  std::function<void(const std::string&)> fail_;
  std::vector<std::unordered_set<std::string>> keys_;
  int depth_ = 0;
};

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : file_(MappedFile::open(path)) {}

  TensorFile read() {
    const std::string_view header = header_text();
    const json root = parse(header);
    TensorFile result{{}, {}, "safetensors"};
    std::vector<Entry> entries;
    for (const auto& [name, value] : root.items()) {
      if (name == metadata_key)
        result.metadata = metadata(value);
      else
        entries.push_back(entry(name, value));
    }
    const size_t payload = sizeof(uint64_t) + header.size();
    check_layout(entries, file_->size() - payload);
    for (const auto& item : entries)
      result.tensors.emplace(item.name, tensor_over(file_, payload + item.begin, item.shape, item.dtype));
    return result;
  }

 private:
  [[noreturn]] void fail(const std::string& what, const char* hint = "") const {
    throw Error(ErrorKind::malformed,
                "not a valid safetensors file (" + file_->path().string() + "): " + what, hint);
  }

  std::string_view header_text() const {
    uint64_t length = 0;
    if (file_->size() < sizeof(length))
      fail(fmt::format("expected at least 8 bytes, found {}", file_->size()), cut_hint);
    std::memcpy(&length, file_->bytes().data(), sizeof(length));
    if (length > max_header_length)
      fail(fmt::format("header length is {}, expected at most {}", length, max_header_length));
    if (length > file_->size() - sizeof(length))
      fail(fmt::format("header length is {}, but only {} bytes follow", length,
                       file_->size() - sizeof(length)),
           cut_hint);
    const std::string_view text = file_->bytes().substr(sizeof(length), length);
    if (!text.starts_with('{')) fail("the header does not begin with '{'");
    return text;
  }

  /// JSON with two more rules: no key twice in an object, and no deeper nesting than the format has.
  json parse(std::string_view text) const {
    KeyCheck check([this](const std::string& what) { fail(what); });
    try {
      json::sax_parse(text, &check);
      json root = json::parse(text);
      if (!root.is_object()) fail("the header is not a JSON object");
      return root;
    } catch (const json::exception& error) {  // its text quotes the last token, however long
      fail("the header is not JSON: " + json_reason(error).substr(0, 200));
    }
  }

  Metadata metadata(const json& object) const {
    if (!object.is_object()) fail("__metadata__ is not an object of strings");
    Metadata result;
    for (const auto& [key, value] : object.items()) {
      if (!value.is_string()) fail("__metadata__ '" + key + "' is not a string");
      result.emplace(key, value.get<std::string>());
    }
    return result;
  }

  Entry entry(const std::string& name, const json& object) const {
    const auto bad = [&](const std::string& what) { fail("tensor '" + name + "' " + what); };
    if (!object.is_object()) bad("is not described by an object");
    for (const char* field : {"dtype", "shape", "data_offsets"})
      if (!object.contains(field)) bad(std::string("has no ") + field);
    if (!object["dtype"].is_string()) bad("has a dtype that is not a string");
    const auto natural_numbers = [&](const char* field) {
      const json& list = object[field];
      if (!list.is_array() || !std::all_of(list.begin(), list.end(), [](const json& number) {
            return number.is_number_unsigned() && number.get<uint64_t>() <= INT64_MAX;
          }))
        bad(std::string("has a ") + field + " that is not a list of natural numbers below 2^63");
      return list.get<std::vector<int64_t>>();
    };
    const auto offsets = natural_numbers("data_offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1]) bad("has data_offsets that are not [begin, end]");
    return {name, dtype_of(name, object["dtype"].get<std::string>()), natural_numbers("shape"),
            static_cast<uint64_t>(offsets[0]), static_cast<uint64_t>(offsets[1])};
  }

  at::ScalarType dtype_of(const std::string& name, const std::string& text) const {
    std::vector<std::string> known;
    for (const auto& [key, dtype] : dtypes) {
      if (text == key) return dtype;
      known.emplace_back(key);
    }
    fail("tensor '" + name + "' has the unsupported dtype '" + text + "'",
         suggest(text, known, known.size()).c_str());
  }

  /// The tensors in order of their offsets cover the payload exactly, and each has the bytes its shape needs.
  void check_layout(std::vector<Entry> entries, uint64_t payload) const {
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    uint64_t expected = 0;
    for (const auto& item : entries) {
      const auto bytes = checked_byte_count(item.shape, item.dtype);
      if (!bytes) fail("tensor '" + item.name + "' has a shape whose size overflows");
      if (static_cast<uint64_t>(*bytes) != item.end - item.begin)
        fail(fmt::format("tensor '{}' of {} [{}] needs {} bytes, its data_offsets give {}", item.name,
                         dtype_name(item.dtype), fmt::join(item.shape, ", "), *bytes, item.end - item.begin));
      if (item.begin != expected)
        fail(fmt::format("tensor '{}' begins at {}, expected {}: a hole or an overlap", item.name, item.begin,
                         expected));
      expected = item.end;
    }
    if (expected > payload)
      fail(fmt::format("the tensors need {} bytes after the header, found {}", expected, payload), cut_hint);
    if (expected < payload)
      fail(fmt::format("{} bytes follow the last tensor, expected none", payload - expected));
  }

  std::shared_ptr<const MappedFile> file_;
};

using NamedTensor = std::pair<std::string, at::Tensor>;

/// Wide elements first, then by name: every tensor starts at a multiple of its element size.
std::vector<NamedTensor> payload_order(const TensorMap& tensors) {
  std::vector<NamedTensor> order(tensors.begin(), tensors.end());
  std::stable_sort(order.begin(), order.end(), [](const NamedTensor& a, const NamedTensor& b) {
    return a.second.element_size() > b.second.element_size();
  });
  for (auto& [name, tensor] : order) tensor = tensor.cpu().contiguous();
  return order;
}

const char* dtype_text(const NamedTensor& item) {
  for (const auto& [text, dtype] : dtypes)
    if (dtype == item.second.scalar_type()) return text;
  throw Error(ErrorKind::failure, "cannot write tensor '" + item.first +
                                      "' as safetensors: no name for dtype " +
                                      c10::toString(item.second.scalar_type()));
}

std::string header_of(const std::vector<NamedTensor>& order, const Metadata& metadata) {
  ordered_json root = ordered_json::object();
  if (!metadata.empty()) root[metadata_key] = metadata;
  uint64_t offset = 0;
  std::map<std::string, ordered_json> entries;
  for (const auto& item : order) {
    if (item.first == metadata_key)
      throw Error(ErrorKind::failure, "a tensor of a safetensors file cannot be named __metadata__");
    if (!is_utf8(item.first)) {
      throw Error(ErrorKind::failure,
                  fmt::format("a tensor of a safetensors file cannot be named '{}': not UTF-8", item.first));
    }
    ordered_json& entry = entries[item.first];
    entry["dtype"] = dtype_text(item);
    entry["shape"] = item.second.sizes().vec();
    entry["data_offsets"] = {offset, offset + item.second.nbytes()};
    offset += item.second.nbytes();
  }
  auto& object = root.get_ref<ordered_json::object_t&>();
  for (auto& [name, entry] : entries) object.emplace_back(name, std::move(entry));  // root[name] searches all
  std::string text = json_text(root);
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

}  // namespace

TensorFile read_safetensors(const std::filesystem::path& path) { return Reader(path).read(); }

void write_safetensors(const OutputPath& output, const TensorMap& tensors, const Metadata& metadata) {
  const auto order = payload_order(tensors);
  const std::string header = header_of(order, metadata);
  const uint64_t length = header.size();
  AtomicFile file(output);
  file.write(&length, sizeof(length));
  file.write(header);
  for (const auto& [name, tensor] : order) file.write(tensor.const_data_ptr(), tensor.nbytes());
  file.commit();
}

std::string safetensors_header(const std::string& name, at::IntArrayRef shape, at::ScalarType dtype,
                               const Metadata& metadata) {
  const auto header = header_of({{name, at::empty(shape, at::device(at::kMeta).dtype(dtype))}}, metadata);
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + header;
}

std::string safetensors_payload_sha256(const TensorMap& tensors) {
  Sha256 hash;
  for (const auto& [name, tensor] : payload_order(tensors))
    hash.update(tensor.const_data_ptr(), tensor.nbytes());
  return hash.hex();
}

}  // namespace w2w
