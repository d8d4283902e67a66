// A pandas DataFrame as its pickle records it: state {"_mgr": BlockManager(blocks, [column index, row
// index])}, where a block is _unpickle_block(array [its columns, rows], their positions in the table as a
// slice or an array, 2). An array is _reconstruct(...) with state (1, shape, dtype, is_fortran, bytes or list
// of objects), by protocol 5 _frombuffer(bytes, dtype, shape, order).

#include "w2w/io/data_frame.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>

#include "io/csv.h"
#include "w2w/base/error.h"
#include "w2w/base/log.h"
#include "w2w/io/torch_value.h"

namespace w2w {
namespace {

constexpr std::array<std::pair<const char*, at::ScalarType>, 9> numpy_dtypes{{{"b1", at::kBool},
                                                                              {"i1", at::kChar},
                                                                              {"u1", at::kByte},
                                                                              {"i2", at::kShort},
                                                                              {"i4", at::kInt},
                                                                              {"i8", at::kLong},
                                                                              {"f2", at::kHalf},
                                                                              {"f4", at::kFloat},
                                                                              {"f8", at::kDouble}}};

/// A numpy array: numbers, or a list of objects in the order of its elements.
struct Array {
  std::vector<int64_t> shape;
  at::Tensor numbers;
  const List* objects = nullptr;
};

class Reader {
 public:
  explicit Reader(std::string where) : where_(std::move(where)) {}

  LabelTable read(const Value& root) {
    const Object& frame = object(root, "pandas.core.frame.DataFrame");
    const Value* manager = frame.state.dict() ? frame.state.dict()->find("_mgr") : nullptr;
    if (!manager) fail("the data frame has no _mgr");
    const List& parts = arguments(object(*manager, "pandas.core.internals.managers.BlockManager"), 2);
    const List& axes = list(parts[1], 2);
    const List& blocks = list(parts[0], 0);
    LabelTable table{names(axes[1]), names(axes[0]), {}};
    is_text_.assign(table.columns.size(), true);
    constexpr float none = std::numeric_limits<float>::quiet_NaN();
    table.values =
        at::full({static_cast<int64_t>(table.rows.size()), static_cast<int64_t>(table.columns.size())}, none,
                 at::kFloat);
    for (const Value& block : blocks)
      fill(table, arguments(object(block, "pandas._libs.internals._unpickle_block"), 2));
    return without_text_columns(std::move(table), is_text_, where_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::malformed, "not a readable data frame (" + where_ + "): " + what);
  }

  const Object& object(const Value& value, std::string_view name) const {
    if (!value.object() || value.object()->name != name)
      fail("found " + value.description() + ", expected a " + std::string(name));
    return *value.object();
  }

  const List& list(const Value& value, size_t at_least) const {
    if (!value.list() || value.list()->size() < at_least)
      fail(fmt::format("found {}, expected a list of at least {}", value.description(), at_least));
    return *value.list();
  }

  const List& arguments(const Object& call, size_t at_least) const { return list(call.arguments, at_least); }

  int64_t integer(const Value& value) const {
    if (!value.integer()) fail("found " + value.description() + ", expected an integer");
    return *value.integer();
  }

  Array array(const Value& value) const {
    if (value.object() && value.object()->name == "numpy._core.numeric._frombuffer") {
      const List& parts = arguments(*value.object(), 4);
      const bool fortran = parts[3].text() && *parts[3].text() == "F";
      return array(parts[2], parts[1], fortran, parts[0]);
    }
    const List& parts = list(object(value, "numpy._core.multiarray._reconstruct").state, 5);
    return array(parts[1], parts[2], integer(parts[3]) != 0, parts[4]);
  }

  Array array(const Value& shape, const Value& type, bool fortran, const Value& content) const {
    Array result;
    for (const Value& size : list(shape, 1)) result.shape.push_back(integer(size));
    const Object& dtype = object(type, "numpy.dtype");
    const std::string* code = arguments(dtype, 1)[0].text();
    if (!code) fail("a dtype has no name");
    if (const Value& order = list(dtype.state, 2)[1]; order.text() && *order.text() == ">")
      fail("its numbers are big-endian");
    if (*code == "O8") {
      // Objects are listed in C order whatever the flag of a one-dimensional or C-ordered array says.
      const auto count = checked_byte_count(result.shape, at::kByte);
      result.objects = &list(content, 0);
      if (count != static_cast<int64_t>(result.objects->size()))
        fail("an array's objects do not fit its shape");
      return result;
    }
    for (const auto& [name, scalar] : numpy_dtypes)
      if (*code == name) result.numbers = numbers(content, result.shape, scalar, fortran);
    if (!result.numbers.defined()) fail("the array type '" + *code + "' is not supported");
    return result;
  }

  at::Tensor numbers(const Value& content, std::vector<int64_t> shape, at::ScalarType dtype,
                     bool fortran) const {
    const auto size = checked_byte_count(shape, dtype);
    if (!content.bytes() || size != static_cast<int64_t>(content.bytes()->size()))
      fail(fmt::format("an array of {} [{}] has {}", c10::toString(dtype), fmt::join(shape, ", "),
                       content.description()));
    if (fortran) std::reverse(shape.begin(), shape.end());
    const at::Tensor view = at::from_blob(const_cast<char*>(content.bytes()->data()), shape, dtype).clone();
    return fortran ? view.permute(reversed_dimensions(shape.size())) : view;
  }

  static std::vector<int64_t> reversed_dimensions(size_t count) {
    std::vector<int64_t> order;
    for (size_t i = count; i-- > 0;) order.push_back(static_cast<int64_t>(i));
    return order;
  }

  std::vector<std::string> names(const Value& index) const {
    const List& parts = arguments(object(index, "pandas.core.indexes.base._new_Index"), 2);
    const Dict* fields = parts[1].dict();
    if (!fields || !parts[0].object()) fail("an index has no fields");
    if (parts[0].object()->name == "pandas.core.indexes.range.RangeIndex") return range(*fields);
    const Value* data = fields->find("data");
    if (!data) fail("an index has no data");
    const Array array_of_names = array(*data);
    if (array_of_names.shape.size() != 1) fail("an index is not one-dimensional");
    std::vector<std::string> result;
    for (int64_t i = 0; i < array_of_names.shape[0]; ++i)
      result.push_back(array_of_names.objects ? name((*array_of_names.objects)[static_cast<size_t>(i)])
                                              : std::to_string(array_of_names.numbers[i].item<int64_t>()));
    return result;
  }

  std::string name(const Value& value) const {
    if (value.text()) return *value.text();
    return std::to_string(integer(value));
  }

  std::vector<std::string> range(const Dict& fields) const {
    int64_t bounds[3] = {0, 0, 1};
    for (int i = 0; const char* field : {"start", "stop", "step"}) {
      const Value* value = fields.find(field);
      if (!value) fail(std::string("a RangeIndex has no ") + field);
      bounds[i++] = integer(*value);
    }
    const auto [start, stop, step] = bounds;
    constexpr int64_t most_rows = 100'000'000;
    if (step == 0 || start < -most_rows || start > most_rows || stop < -most_rows || stop > most_rows)
      fail("a RangeIndex is out of bounds");
    std::vector<std::string> result;
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) result.push_back(std::to_string(i));
    return result;
  }

  /// Copies one block into its columns.
  void fill(LabelTable& table, const List& block) {
    const Array content = array(block[0]);
    const auto rows = static_cast<int64_t>(table.rows.size());
    if (content.shape.size() != 2 || content.shape[1] != rows)
      fail(fmt::format("a block has the shape [{}], expected [columns, {}]", fmt::join(content.shape, ", "),
                       rows));
    const auto places = positions(block[1], content.shape[0], static_cast<int64_t>(table.columns.size()));
    for (size_t i = 0; i < places.size(); ++i) {
      const auto row = static_cast<int64_t>(i);
      const at::Tensor column =
          content.objects ? numbers_of(*content.objects, row * rows, rows) : content.numbers[row];
      if (!column.defined()) continue;
      table.values.select(1, places[i]).copy_(column);
      is_text_[static_cast<size_t>(places[i])] = false;
    }
  }

  std::vector<int64_t> positions(const Value& value, int64_t count, int64_t columns) const {
    std::vector<int64_t> result;
    if (value.object() && value.object()->name == "builtins.slice") {
      const List& slice = arguments(*value.object(), 3);
      const int64_t step = slice[2].is_null() ? 1 : integer(slice[2]);
      const int64_t start = slice[0].is_null() ? 0 : integer(slice[0]);
      if (start < -columns || start > columns || step < -columns || step > columns)
        fail("a block is out of the table");
      for (int64_t i = 0; i < count && i <= columns; ++i) result.push_back(start + i * step);
    } else {
      const Array places = array(value);
      if (!places.numbers.defined() || places.shape.size() != 1) fail("a block has no positions");
      const at::Tensor wide = places.numbers.to(at::kLong).contiguous();
      result.assign(wide.const_data_ptr<int64_t>(), wide.const_data_ptr<int64_t>() + wide.numel());
    }
    if (static_cast<int64_t>(result.size()) != count) fail("a block's positions do not fit its columns");
    for (const int64_t position : result)
      if (position < 0 || position >= columns) fail("a block is out of the table");
    return result;
  }

  /// `count` objects as f32, None as NaN; undefined when one is neither.
  static at::Tensor numbers_of(const List& objects, int64_t first, int64_t count) {
    at::Tensor column = at::empty({count}, at::kFloat);
    auto* out = column.mutable_data_ptr<float>();
    for (int64_t i = 0; i < count; ++i) {
      const Value& item = objects[static_cast<size_t>(first + i)];
      if (!item.number() && !item.is_null()) return {};
      out[i] = static_cast<float>(item.number().value_or(std::numeric_limits<double>::quiet_NaN()));
    }
    return column;
  }

  std::string where_;
  std::vector<bool> is_text_;
};

}  // namespace

LabelTable without_text_columns(LabelTable table, const std::vector<bool>& is_text,
                                const std::string& where) {
  std::vector<std::string> kept;
  std::vector<int64_t> indices;
  for (size_t i = 0; i < is_text.size(); ++i) {
    if (is_text[i]) {
      warn("column '" + table.columns[i] + "' of " + where + " does not hold numbers and is left out");
      continue;
    }
    kept.push_back(table.columns[i]);
    indices.push_back(static_cast<int64_t>(i));
  }
  if (kept.empty())
    throw Error(ErrorKind::malformed, "not a usable table (" + where + "): no column holds numbers");
  if (kept.size() < is_text.size()) table.values = at::index_select(table.values, 1, at::tensor(indices));
  table.columns = std::move(kept);
  return table;
}

LabelTable read_label_table(const std::filesystem::path& path) {
  const auto file = MappedFile::open_or_read(path);
  if (file->bytes().starts_with("PK\3\4") || file->bytes().starts_with('\x80'))
    return Reader(path.string()).read(read_torch_file(path));
  return read_csv_table(*file);
}

}  // namespace w2w
