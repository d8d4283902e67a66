// numpy as its pickles record it. An array is _reconstruct(...) with state (1, shape, dtype, is_fortran,
// bytes or list of objects), by protocol 5 _frombuffer(bytes, dtype, shape, order). A scalar is scalar(dtype,
// bytes). A dtype is numpy.dtype(code, ...) with state (version, byte order, ...).

#include "io/numpy_values.h"

#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "io/text_encoding.h"
#include "w2w/base/error.h"
#include "w2w/io/mapped_file.h"

namespace w2w {
namespace {

constexpr std::array<std::pair<const char*, at::ScalarType>, 12> number_types{{{"b1", at::kBool},
                                                                               {"i1", at::kChar},
                                                                               {"u1", at::kByte},
                                                                               {"i2", at::kShort},
                                                                               {"u2", at::kUInt16},
                                                                               {"i4", at::kInt},
                                                                               {"u4", at::kUInt32},
                                                                               {"i8", at::kLong},
                                                                               {"u8", at::kUInt64},
                                                                               {"f2", at::kHalf},
                                                                               {"f4", at::kFloat},
                                                                               {"f8", at::kDouble}}};

/// A type of elements: a kind of numbers, or 'O' (objects), 'U' and 'S' (texts of `size` characters).
struct ElementType {
  std::optional<at::ScalarType> number;
  char text = 0;
  int64_t size = 0;
};

class Reader {
 public:
  explicit Reader(const std::string& where) : where_(where) {}

  std::optional<Value> read(const Object& call) const {
    if (call.name == "numpy._core.multiarray.scalar") {
      const List& parts = list(call.arguments, 1);
      const auto type = element_type(parts[0]);
      if (!type) return std::nullopt;
      const Value none = make_list({});
      const Value& content = parts.size() > 1 ? parts[1] : none;
      if (type->text == 'O') return content;
      const Value made = array({}, *type, false, content);
      return made.tensor() ? number(*made.tensor()) : made;
    }
    if (call.name == "numpy._core.numeric._frombuffer") {
      const List& parts = list(call.arguments, 4);
      const bool fortran = parts[3].text() && *parts[3].text() == "F";
      return array(parts[2], parts[1], fortran, parts[0]);
    }
    if (call.name != "numpy._core.multiarray._reconstruct" || call.state.is_null()) return std::nullopt;
    const List& parts = list(call.state, 5);
    return array(parts[1], parts[2], integer(parts[3]) != 0, parts[4]);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::malformed, "not a readable numpy array (" + where_ + "): " + what);
  }

  const List& list(const Value& value, size_t at_least) const {
    if (!value.list() || value.list()->size() < at_least)
      fail(fmt::format("found {}, expected a list of at least {}", value.description(), at_least));
    return *value.list();
  }

  int64_t integer(const Value& value) const {
    if (!value.integer()) fail("found " + value.description() + ", expected an integer");
    return *value.integer();
  }

  /// Nothing for types that are not read.
  std::optional<ElementType> element_type(const Value& value) const {
    const Object* dtype = value.object();
    if (!dtype || dtype->name != "numpy.dtype") fail("found " + value.description() + ", expected a dtype");
    const std::string* code = list(dtype->arguments, 1)[0].text();
    if (!code) fail("a dtype has no name");
    const Value& order = list(dtype->state, 2)[1];
    if (*code == "O8" || *code == "O") return ElementType{{}, 'O', 1};
    if (order.text() && *order.text() == ">") fail("its numbers are big-endian");
    for (const auto& [name, scalar] : number_types)
      if (*code == name) return ElementType{scalar, 0, 1};
    if (code->size() > 1 && (code->front() == 'U' || code->front() == 'S')) {
      int64_t size = 0;
      const auto [end, problem] = std::from_chars(code->data() + 1, code->data() + code->size(), size);
      if (problem == std::errc{} && end == code->data() + code->size() && size < (int64_t{1} << 24))
        return ElementType{{}, code->front(), size};
    }
    return std::nullopt;
  }

  std::optional<Value> array(const Value& shape, const Value& dtype, bool fortran,
                             const Value& content) const {
    std::vector<int64_t> sizes;
    for (const Value& size : list(shape, 0)) sizes.push_back(integer(size));
    const auto type = element_type(dtype);
    if (!type) return std::nullopt;
    return array(std::move(sizes), *type, fortran, content);
  }

  Value array(std::vector<int64_t> shape, const ElementType& type, bool fortran, const Value& content) const {
    if (type.number) return {numbers(std::move(shape), *type.number, fortran, content)};
    // Objects are listed in C order whatever the flag says.
    const List items = type.text == 'O' ? list(content, 0) : texts(shape, type, content);
    if (checked_byte_count(shape, at::kByte) != static_cast<int64_t>(items.size()))
      fail("an array's objects do not fit its shape");
    constexpr size_t most_dimensions = 32;  // numpy 1's own limit
    if (shape.size() > most_dimensions) fail("an array has too many dimensions");
    if (items.empty() && !shape.empty()) return make_list({});
    size_t at = 0;
    return nested(items, shape, 0, at);
  }

  static Value nested(const List& items, const std::vector<int64_t>& shape, size_t dimension, size_t& at) {
    if (dimension == shape.size()) return items[at++];
    List result;
    for (int64_t i = 0; i < shape[dimension]; ++i) result.push_back(nested(items, shape, dimension + 1, at));
    return make_list(std::move(result));
  }

  /// Texts of fixed length, padded with zeros: UTF-32 or bytes.
  List texts(const std::vector<int64_t>& shape, const ElementType& type, const Value& content) const {
    const int64_t width = type.size * (type.text == 'U' ? 4 : 1);
    const auto count = checked_byte_count(shape, at::kByte);
    int64_t size = 0;
    if (!count || __builtin_mul_overflow(*count, width, &size) || !content.bytes() ||
        size != static_cast<int64_t>(content.bytes()->size()))
      fail(fmt::format("an array of texts [{}] has {}", fmt::join(shape, ", "), content.description()));
    List items;
    for (int64_t i = 0; i < *count; ++i) {
      const auto part = std::string_view(*content.bytes())
                            .substr(static_cast<size_t>(i * width), static_cast<size_t>(width));
      items.push_back(
          make_text(type.text == 'U' ? of_utf32(part) : std::string(part.substr(0, part.find('\0')))));
    }
    return items;
  }

  static std::string of_utf32(std::string_view bytes) {
    std::string utf16;
    for (; bytes.size() >= 4; bytes.remove_prefix(4)) {
      uint32_t code = 0;
      std::memcpy(&code, bytes.data(), sizeof(code));
      if (code == 0) break;
      const auto put = [&](uint32_t unit) {
        utf16 += static_cast<char>(unit & 255);
        utf16 += static_cast<char>(unit >> 8);
      };
      if (code < 0x10000) {
        put(code);
      } else {
        put(0xd800 + ((code - 0x10000) >> 10 & 0x3ff));
        put(0xdc00 + (code & 0x3ff));
      }
    }
    return utf16_to_utf8(utf16, /*big_endian=*/false);
  }

  at::Tensor numbers(std::vector<int64_t> shape, at::ScalarType dtype, bool fortran,
                     const Value& content) const {
    const auto size = checked_byte_count(shape, dtype);
    if (!content.bytes() || size != static_cast<int64_t>(content.bytes()->size()))
      fail(fmt::format("an array of {} [{}] has {}", c10::toString(dtype), fmt::join(shape, ", "),
                       content.description()));
    if (fortran) std::reverse(shape.begin(), shape.end());
    at::Tensor view = at::from_blob(const_cast<char*>(content.bytes()->data()), shape, dtype).clone();
    if (dtype == at::kUInt16 || dtype == at::kUInt32 || dtype == at::kUInt64) view = view.to(at::kLong);
    return fortran ? view.permute(reversed_dimensions(shape.size())) : view;
  }

  static std::vector<int64_t> reversed_dimensions(size_t count) {
    std::vector<int64_t> order;
    for (size_t i = count; i-- > 0;) order.push_back(static_cast<int64_t>(i));
    return order;
  }

  static Value number(const at::Tensor& tensor) {
    if (tensor.scalar_type() == at::kBool) return {tensor.item<bool>()};
    if (tensor.is_floating_point()) return {tensor.item<double>()};
    return {tensor.item<int64_t>()};
  }

  const std::string& where_;
};

}  // namespace

std::optional<Value> numpy_value(const Object& call, const std::string& where) {
  return Reader(where).read(call);
}

}  // namespace w2w
