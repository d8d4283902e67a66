// pandas tables as their pickles record them: state {"_mgr" ("_data" before 1.1): a manager of blocks}, a
// block being values [its columns, rows] and their positions in the table. Of frames since 1.3 the manager is
// BlockManager(blocks, [column index, row index]) with blocks _unpickle_block(values, positions, 2); of
// series, and of frames before, it has the state (..., {"0.14.1": {"axes": [...], "blocks": [{"values",
// "mgr_locs"}]}}). A column of a type of pandas' own is a block of one dimension.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ATen/ops/full_like.h>
#include <ATen/ops/where.h>

#include <limits>

#include "io/raw_table.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

constexpr const char *frame_name = "pandas.core.frame.DataFrame", *series_name = "pandas.core.series.Series";

bool is_call(const Value& value, std::string_view name) {
  return value.object() && value.object()->name == name;
}

class Reader {
 public:
  explicit Reader(const std::string& where) : where_(where) {}

  RawTable read(const Value& root) {
    const Object& frame = *root.object();
    const Dict* state = frame.state.dict();
    const Value* manager = state ? state->find("_mgr") : nullptr;
    if (!manager && state) manager = state->find("_data");
    if (!manager || !manager->object()) fail("the data frame has no _mgr");
    const bool series = is_call(root, series_name);
    RawTable table;
    const Dict* old = old_state(*manager->object());
    const List& axes = old ? list(field(*old, "axes"), series ? 1 : 2)
                           : list(list(manager->object()->arguments, 2)[1], series ? 1 : 2);
    table.rows = names(axes.back());
    if (series) {
      table.columns = {series_name_of(*state)};
    } else {
      table.columns = names(axes.front());
    }
    table.values.resize(table.columns.size());
    for (const Value& block :
         old ? list(field(*old, "blocks"), 0) : list(list(manager->object()->arguments, 1)[0], 0))
      fill(table, block);
    for (size_t i = 0; i < table.values.size(); ++i)
      if (table.values[i].is_null()) fail("column '" + table.columns[i] + "' has no values");
    return table;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::malformed, "not a readable data frame (" + where_ + "): " + what);
  }

  const List& list(const Value& value, size_t at_least) const {
    if (!value.list() || value.list()->size() < at_least)
      fail(fmt::format("found {}, expected a list of at least {}", value.description(), at_least));
    return *value.list();
  }

  const Value& field(const Dict& dict, const char* name) const {
    const Value* found = dict.find(name);
    if (!found) fail(fmt::format("it has no '{}'", name));
    return *found;
  }

  int64_t integer(const Value& value) const {
    if (!value.integer()) fail("found " + value.description() + ", expected an integer");
    return *value.integer();
  }

  const Dict* old_state(const Object& manager) const {
    if (!manager.name.ends_with("BlockManager"))
      fail("found a " + manager.name + ", expected a BlockManager");
    if (!manager.state.list() || manager.state.list()->empty()) return nullptr;
    const Dict* extra = manager.state.list()->back().dict();
    const Value* content = extra ? extra->find("0.14.1") : nullptr;
    if (!content || !content->dict()) fail("its blocks are stored in an unknown form");
    return content->dict();
  }

  static std::string series_name_of(const Dict& state) {
    for (const char* key : {"_name", "name"})
      if (const Value* name = state.find(key); name && name->text()) return *name->text();
    return "label";
  }

  void fill(RawTable& table, const Value& block) const {
    const Value *values = nullptr, *positions = nullptr;
    if (const Dict* parts = block.dict()) {
      values = &field(*parts, "values");
      positions = &field(*parts, "mgr_locs");
    } else if (is_call(block, "pandas._libs.internals._unpickle_block") ||
               is_call(block, "pandas.core.internals.blocks.new_block")) {
      const List& arguments = list(block.object()->arguments, 2);
      values = &arguments[0];
      positions = &arguments[1];
    } else {
      fail("found " + block.description() + ", expected a block");
    }
    const auto columns =
        columns_of(*values, static_cast<int64_t>(table.rows.size()), table.columns.size() == 1);
    const auto places =
        this->positions(*positions, columns.size(), static_cast<int64_t>(table.columns.size()));
    for (size_t i = 0; i < places.size(); ++i) table.values[static_cast<size_t>(places[i])] = columns[i];
  }

  /// The columns of a block, each with `rows` values. A single column may have but one dimension.
  std::vector<Value> columns_of(const Value& block, int64_t rows, bool single) const {
    const Value values = block.object() ? extension_array(*block.object()) : block;
    std::vector<Value> columns;
    std::vector<int64_t> shape;
    if (const at::Tensor* numbers = values.tensor()) {
      shape = numbers->sizes().vec();
      if (shape.size() == 2) {
        for (int64_t i = 0; i < shape[0]; ++i) columns.push_back({numbers->select(0, i)});
      }
    } else if (const List* items = values.list()) {
      shape = {static_cast<int64_t>(items->size())};
      const bool nested = !block.object() && !items->empty() && items->front().list();
      if (nested) shape.push_back(static_cast<int64_t>(items->front().list()->size()));
      if (nested) columns = *items;
    } else {
      fail("a block is " + values.description() + ", which is not supported");
    }
    if (shape.size() == 1 && (single || block.object())) {
      columns = {values};
      shape = {1, shape[0]};
    }
    if (shape.size() != 2 || shape[1] != rows)
      fail(fmt::format("a block has the shape [{}], expected [columns, {}]", fmt::join(shape, ", "), rows));
    for (const Value& column : columns)
      if (!column.tensor() && (!column.list() || length(column) != rows)) fail("a block is not a rectangle");
    return columns;
  }

  /// A column of pandas' own types: numbers with a mask, texts, categories.
  Value extension_array(const Object& array) const {
    if (const Dict* state = array.state.dict()) {
      const Value *numbers = state->find("_data"), *mask = state->find("_mask");
      if (numbers && mask && numbers->tensor() && mask->tensor())
        return masked(*numbers->tensor(), *mask->tensor());
      if (const Value* texts = state->find("_ndarray")) return *texts;
      if (const Value* codes = state->find("_codes"), *type = state->find("_dtype"); codes && type)
        return categories(*type, *codes);
    }
    if (array.name == "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked" && array.state.list()) {
      const Value *type = nullptr, *values = nullptr;
      for (const Value& part : *array.state.list()) {
        if (part.object()) type = &part;
        if (part.tensor() || part.list()) values = &part;
      }
      if (values && type && is_call(*type, "pandas.core.dtypes.dtypes.CategoricalDtype"))
        return categories(*type, *values);
      if (values) return *values;
    }
    fail("an array of " + array.name + " is not supported");
  }

  Value masked(const at::Tensor& numbers, const at::Tensor& mask) const {
    if (numbers.sizes() != mask.sizes() || mask.scalar_type() != at::kBool)
      fail("a mask does not fit its numbers");
    const auto wide = numbers.to(at::kDouble);
    return {at::where(mask, at::full_like(wide, std::numeric_limits<double>::quiet_NaN()), wide)};
  }

  Value categories(const Value& type, const Value& codes) const {
    const Dict* fields = type.object() ? type.object()->state.dict() : nullptr;
    const Value* index = fields ? fields->find("categories") : nullptr;
    if (!index || !codes.tensor() || codes.tensor()->dim() != 1)
      fail("categories are stored in an unknown form");
    const Value values = index_values(*index);
    if (values.tensor() && values.tensor()->dim() != 1) fail("categories are not one-dimensional");
    const auto wide = codes.tensor()->to(at::kLong).contiguous();
    List items;
    for (int64_t i = 0; i < wide.numel(); ++i) {
      const int64_t code = wide.const_data_ptr<int64_t>()[i];
      const int64_t known =
          values.tensor() ? values.tensor()->numel() : static_cast<int64_t>(list(values, 0).size());
      if (code >= known) fail("a category index is out of range");
      if (code < 0) {
        items.emplace_back();
      } else if (values.list()) {
        items.push_back((*values.list())[static_cast<size_t>(code)]);
      } else {
        items.push_back({(*values.tensor())[code].item<double>()});
      }
    }
    return make_list(std::move(items));
  }

  std::vector<int64_t> positions(const Value& value, size_t count, int64_t columns) const {
    std::vector<int64_t> result;
    if (is_call(value, "builtins.slice")) {
      const List& slice = list(value.object()->arguments, 3);
      const int64_t step = slice[2].is_null() ? 1 : integer(slice[2]);
      const int64_t start = slice[0].is_null() ? 0 : integer(slice[0]);
      // The one block of a series stands for all of its rows.
      if (columns == 1 && count == 1) return {0};
      if (start < -columns || start > columns || step < -columns || step > columns)
        fail("a block is out of the table");
      for (size_t i = 0; i < count && static_cast<int64_t>(i) <= columns; ++i)
        result.push_back(start + static_cast<int64_t>(i) * step);
    } else {
      if (!value.tensor() || value.tensor()->dim() != 1) fail("a block has no positions");
      const at::Tensor wide = value.tensor()->to(at::kLong).contiguous();
      result.assign(wide.const_data_ptr<int64_t>(), wide.const_data_ptr<int64_t>() + wide.numel());
    }
    if (result.size() != count) fail("a block's positions do not fit its columns");
    for (const int64_t position : result)
      if (position < 0 || position >= columns) fail("a block is out of the table");
    return result;
  }

  Value index_values(const Value& index) const {
    if (!is_call(index, "pandas.core.indexes.base._new_Index"))
      fail("found " + index.description() + ", expected an index");
    const List& parts = list(index.object()->arguments, 2);
    const Dict* fields = parts[1].dict();
    if (!fields || !parts[0].object()) fail("an index has no fields");
    if (parts[0].object()->name == "pandas.core.indexes.range.RangeIndex") return range(*fields);
    const Value& data = field(*fields, "data");
    return data.object() ? extension_array(*data.object()) : data;
  }

  std::vector<std::string> names(const Value& index) const {
    const Value values = index_values(index);
    std::vector<std::string> result;
    if (const at::Tensor* numbers = values.tensor()) {
      if (numbers->dim() != 1) fail("an index is not one-dimensional");
      for (int64_t i = 0; i < numbers->size(0); ++i)
        result.push_back(numbers->is_floating_point() ? fmt::format("{:.15g}", (*numbers)[i].item<double>())
                                                      : std::to_string((*numbers)[i].item<int64_t>()));
      return result;
    }
    for (const Value& item : list(values, 0)) {
      if (item.text()) {
        result.push_back(*item.text());
      } else if (item.integer()) {
        result.push_back(std::to_string(*item.integer()));
      } else if (item.number()) {
        result.push_back(fmt::format("{:.15g}", *item.number()));
      } else {
        fail("an index has " + item.description() + " as a name");
      }
    }
    return result;
  }

  Value range(const Dict& fields) const {
    const int64_t start = integer(field(fields, "start")), stop = integer(field(fields, "stop")),
                  step = integer(field(fields, "step"));
    constexpr int64_t most_rows = 100'000'000;
    if (step == 0 || start < -most_rows || start > most_rows || stop < -most_rows || stop > most_rows)
      fail("a RangeIndex is out of bounds");
    List result;
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) result.push_back({i});
    return make_list(std::move(result));
  }

  const std::string& where_;
};

}  // namespace

bool is_pandas_table(const Value& root) { return is_call(root, frame_name) || is_call(root, series_name); }

RawTable read_pandas_table(const Value& root, const std::string& where) { return Reader(where).read(root); }

}  // namespace w2w
