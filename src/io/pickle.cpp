// A pickle is a program for a stack machine (Python's pickletools documents every opcode). This one builds
// data only.

#include "w2w/io/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include "w2w/base/error.h"

namespace w2w {
namespace {

constexpr int deepest = 100;
constexpr uint64_t most_values = 100'000'000;

/// The names that tensors, state dicts, training checkpoints and data frames need. Python 2's module names
/// are translated by global_name.
const std::unordered_set<std::string_view>& allowed_names() {
  static const std::unordered_set<std::string_view> names{
      "_codecs.encode",
      "builtins.bytes",
      "builtins.set",
      "builtins.slice",
      "collections.OrderedDict",
      "numpy._core.multiarray._reconstruct",
      "numpy._core.multiarray.scalar",
      "numpy._core.numeric._frombuffer",
      "numpy.dtype",
      "numpy.ndarray",
      "pandas._libs.internals._unpickle_block",
      "pandas.core.frame.DataFrame",
      "pandas.core.indexes.base.Index",
      "pandas.core.indexes.base._new_Index",
      "pandas.core.indexes.numeric.Int64Index",
      "pandas.core.indexes.range.RangeIndex",
      "pandas.core.internals.managers.BlockManager",
      // The keys of the "callbacks" of Stable Diffusion's own .ckpt files.
      "pytorch_lightning.callbacks.ModelCheckpoint",
      "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
      "torch.BFloat16Storage",
      "torch.BoolStorage",
      "torch.ByteStorage",
      "torch.CharStorage",
      "torch.DoubleStorage",
      "torch.FloatStorage",
      "torch.HalfStorage",
      "torch.IntStorage",
      "torch.LongStorage",
      "torch.ShortStorage",
      "torch.Size",
      "torch._utils._rebuild_parameter",
      "torch._utils._rebuild_tensor",
      "torch._utils._rebuild_tensor_v2",
      "torch.bfloat16",
      "torch.bool",
      "torch.device",
      "torch.float16",
      "torch.float32",
      "torch.float64",
      "torch.int16",
      "torch.int32",
      "torch.int64",
      "torch.int8",
      "torch.uint8",
  };
  return names;
}

std::string global_name(std::string module, const std::string& name) {
  if (module == "__builtin__") module = "builtins";
  constexpr std::string_view old_numpy = "numpy.core.";
  if (module.starts_with(old_numpy)) module = "numpy._core." + module.substr(old_numpy.size());
  return module + "." + name;
}

/// UTF-8 text of code points below 256 as the bytes they stand for; nothing when it is not that.
std::optional<std::string> latin1_bytes(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      bytes.push_back(text[i]);
      continue;
    }
    if ((lead != 0xC2 && lead != 0xC3) || i + 1 == text.size()) return std::nullopt;
    const auto tail = static_cast<unsigned char>(text[++i]);
    if ((tail & 0xC0) != 0x80) return std::nullopt;
    bytes.push_back(static_cast<char>((lead & 3) << 6 | (tail & 0x3F)));
  }
  return bytes;
}

/// Refuses cycles, and depths and expanded sizes that would hurt whoever walks the tree. Each container is
/// visited once.
class Inspector {
 public:
  explicit Inspector(const std::string& where) : where_(where) {}

  void check(const Value& root) { visit(root, 0); }
  bool reached(const Value& container) const { return extents_.contains(container.address()); }

 private:
  struct Extent {
    int height = 0;
    uint64_t values = 0;  // 0 while the container is being visited
  };

  Extent visit(const Value& value, int depth) {
    const void* address = value.address();
    if (!address) return {0, 1};
    if (depth > deepest) fail(fmt::format("its data is nested deeper than {}", deepest));
    if (const auto [known, fresh] = extents_.try_emplace(address); !fresh) {
      if (known->second.values == 0) fail("its data contains itself");
      if (depth + known->second.height > deepest)
        fail(fmt::format("its data is nested deeper than {}", deepest));
      return known->second;
    }
    Extent extent{0, 1};
    for (const Value* child : value.children()) {
      const Extent inner = visit(*child, depth + 1);
      extent.height = std::max(extent.height, inner.height + 1);
      extent.values += inner.values;
      if (extent.values > most_values)
        fail(fmt::format("its data unfolds to more than {} values", most_values));
    }
    return extents_[address] = extent;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::malformed, "not a readable pickle (" + where_ + "): " + what);
  }

  const std::string& where_;
  std::unordered_map<const void*, Extent> extents_;
};

class Machine {
 public:
  Machine(std::string_view bytes, const std::string& where)
      : bytes_(bytes), where_(where), inspector_(where) {}

  /// Containers outside the result may form cycles or chains too long for recursive destructors: empty them
  /// one by one.
  ~Machine() {
    for (const Value& value : containers_) {
      if (inspected_ && inspector_.reached(value)) continue;
      if (List* items = value.list()) List().swap(*items);
      if (Dict* pairs = value.dict()) decltype(pairs->items)().swap(pairs->items);
      if (Object* call = value.object()) call->arguments = call->state = Value{};
    }
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  Value run() {
    if (byte() != 0x80) fail("it does not begin with a protocol");
    if (const int protocol = byte(); protocol < 2 || protocol > 5)
      fail(fmt::format("its protocol is {}, expected 2 to 5", protocol));
    while (true) {
      const int opcode = byte();
      if (opcode == '.') break;
      if (!constant(opcode) && !text_or_bytes(opcode) && !container(opcode) && !memo(opcode) && !call(opcode))
        fail(fmt::format("unknown opcode 0x{:02x} at byte {}", opcode, at_ - 1));
    }
    Value result = pop();
    inspector_.check(result);
    inspected_ = true;
    return result;
  }

  size_t consumed() const { return at_; }

 private:
  [[noreturn]] void fail(const std::string& what, const char* hint = "") const {
    throw Error(ErrorKind::malformed, "not a readable pickle (" + where_ + "): " + what, hint);
  }

  // Reading the program.

  std::string_view take(uint64_t size) {
    if (size > bytes_.size() - at_)
      fail(fmt::format("it needs {} bytes at {}, but ends at {}", size, at_, bytes_.size()),
           "the file is probably cut short: copy or download it again");
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }

  template <typename T>
  T number() {  // little-endian
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  int byte() { return number<uint8_t>(); }

  std::string line() {
    const size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) fail("it ends within a name");
    std::string text(take(end - at_));
    take(1);
    return text;
  }

  // The stack. Nothing below the last mark can be popped.

  void push(Value value) {
    if (value.address()) containers_.push_back(value);
    stack_.push_back(std::move(value));
  }

  void need(size_t count) const {
    if (stack_.size() - (marks_.empty() ? 0 : marks_.back()) < count)
      fail(fmt::format("its stack is empty at byte {}", at_ - 1));
  }

  Value pop() {
    need(1);
    Value value = std::move(stack_.back());
    stack_.pop_back();
    return value;
  }

  const Value& top() const {
    need(1);
    return stack_.back();
  }

  List pop_top(size_t count) {
    need(count);
    List items(std::make_move_iterator(stack_.end() - static_cast<ptrdiff_t>(count)),
               std::make_move_iterator(stack_.end()));
    stack_.resize(stack_.size() - count);
    return items;
  }

  List pop_to_mark() {
    if (marks_.empty()) fail(fmt::format("its stack has no mark at byte {}", at_ - 1));
    List items = pop_top(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }

  // Groups of opcodes; false when the opcode is not of the group.

  bool constant(int opcode) {
    switch (opcode) {
      case 'N':
        push({});
        return true;
      case 0x88:
        push({true});
        return true;
      case 0x89:
        push({false});
        return true;
      case 'J':
        push({int64_t{number<int32_t>()}});
        return true;
      case 'K':
        push({int64_t{number<uint8_t>()}});
        return true;
      case 'M':
        push({int64_t{number<uint16_t>()}});
        return true;
      case 0x8a:
        push(long_integer(number<uint8_t>()));
        return true;
      case 0x8b:
        push(long_integer(number<uint32_t>()));
        return true;
      case 'G':
        push({big_endian_double()});
        return true;
      case 0x95:
        take(8);
        return true;  // FRAME: a hint for readers of streams
      default:
        return false;
    }
  }

  /// Two's complement. Wider than 64 bits (torch's magic number) it is an Object "builtins.int" with its
  /// bytes as state.
  Value long_integer(uint32_t size) {
    const std::string_view digits = take(size);
    if (size > sizeof(int64_t))
      return {std::make_shared<Object>("builtins.int", Value{},
                                       Value{std::make_shared<const Bytes>(std::string(digits))})};
    const bool negative = size > 0 && (digits.back() & 0x80);
    int64_t value = negative ? -1 : 0;
    std::memcpy(&value, digits.data(), size);
    return {value};
  }

  double big_endian_double() {
    const uint64_t bits = __builtin_bswap64(number<uint64_t>());
    double value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }

  bool text_or_bytes(int opcode) {
    switch (opcode) {
      case 'U':
      case 0x8c:
        push(make_text(std::string(take(number<uint8_t>()))));
        return true;
      case 'T':
      case 'X':
        push(make_text(std::string(take(number<uint32_t>()))));
        return true;
      case 0x8d:
        push(make_text(std::string(take(number<uint64_t>()))));
        return true;
      case 'C':
        push(make_bytes(take(number<uint8_t>())));
        return true;
      case 'B':
        push(make_bytes(take(number<uint32_t>())));
        return true;
      case 0x8e:
      case 0x96:
        push(make_bytes(take(number<uint64_t>())));
        return true;
      default:
        return false;
    }
  }

  static Value make_bytes(std::string_view bytes) {
    return {std::make_shared<const Bytes>(std::string(bytes))};
  }

  bool container(int opcode) {
    switch (opcode) {
      case '(':
        marks_.push_back(stack_.size());
        return true;
      case '0':
        pop();
        return true;
      case '1':
        pop_to_mark();
        return true;
      case '2':
        push(Value(top()));
        return true;
      case ')':
      case ']':
      case 0x8f:
        push(make_list({}));
        return true;
      case 0x85:
        push(make_list(pop_top(1)));
        return true;
      case 0x86:
        push(make_list(pop_top(2)));
        return true;
      case 0x87:
        push(make_list(pop_top(3)));
        return true;
      case 't':
      case 'l':
      case 0x91:
        push(make_list(pop_to_mark()));
        return true;
      case 'a':
        append(pop_top(1));
        return true;
      case 'e':
      case 0x90:
        append(pop_to_mark());
        return true;
      case '}':
        push({std::make_shared<Dict>()});
        return true;
      case 's':
        set_items(pop_top(2));
        return true;
      case 'u':
        set_items(pop_to_mark());
        return true;
      default:
        return false;
    }
  }

  void append(List items) {
    List* target = top().list();
    if (!target) fail("it appends to " + top().description());
    std::move(items.begin(), items.end(), std::back_inserter(*target));
  }

  void set_items(List items) {
    Dict* target = top().dict();
    if (!target) fail("it sets items of " + top().description());
    if (items.size() % 2 != 0) fail("it sets a key without a value");
    for (size_t i = 0; i < items.size(); i += 2)
      target->items.emplace_back(std::move(items[i]), std::move(items[i + 1]));
  }

  bool memo(int opcode) {
    switch (opcode) {
      case 'q':
        memo_[number<uint8_t>()] = top();
        return true;
      case 'r':
        memo_[number<uint32_t>()] = top();
        return true;
      case 0x94:
        memo_[static_cast<uint32_t>(memo_.size())] = top();
        return true;
      case 'h':
        recall(number<uint8_t>());
        return true;
      case 'j':
        recall(number<uint32_t>());
        return true;
      default:
        return false;
    }
  }

  void recall(uint32_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) fail(fmt::format("it recalls memo {}, which was never stored", index));
    stack_.push_back(found->second);
  }

  bool call(int opcode) {
    switch (opcode) {
      case 'c': {
        const std::string module = line();
        push(global(module, line()));
        return true;
      }
      case 0x93: {
        const List names = pop_top(2);
        if (!names[0].text() || !names[1].text()) fail("a name is not text");
        push(global(*names[0].text(), *names[1].text()));
        return true;
      }
      case 'R':
      case 0x81: {
        List pair = pop_top(2);
        push(record_call(pair[0], std::move(pair[1])));
        return true;
      }
      case 'b':
        set_state(pop());
        return true;
      case 'Q':
        push({std::make_shared<Object>("persistent_id", pop(), Value{})});
        return true;
      default:
        return false;
    }
  }

  Value global(const std::string& module, const std::string& name) const {
    const std::string full = global_name(module, name);
    if (!allowed_names().contains(full))
      fail("it uses '" + full.substr(0, 200) + "', which is not on the list of harmless names",
           "only tensors, state dicts and data frames are read; convert the file to safetensors where it was "
           "made");
    return {std::make_shared<Object>(full, Value{}, Value{})};
  }

  /// Containers and byte strings are built; every other call stays an Object.
  Value record_call(const Value& callee, Value arguments) const {
    const Object* function = callee.object();
    if (!function || !function->arguments.is_null() || !function->state.is_null())
      fail("it calls " + callee.description());
    if (!arguments.list()) fail("it calls " + function->name + " with " + arguments.description());
    const List& list = *arguments.list();
    if (function->name == "collections.OrderedDict" && list.empty()) return {std::make_shared<Dict>()};
    if (function->name == "builtins.set" && list.size() == 1 && list[0].list()) return list[0];
    if (function->name == "builtins.bytes" && list.empty()) return make_bytes({});
    if (function->name == "_codecs.encode") return encode(list);
    return {std::make_shared<Object>(function->name, std::move(arguments), Value{})};
  }

  /// How protocol 2 stores bytes: as the text whose code points they are.
  Value encode(const List& arguments) const {
    const std::string* codec = arguments.size() == 2 ? arguments[1].text() : nullptr;
    if (!codec || (*codec != "latin1" && *codec != "latin-1") || !arguments[0].text())
      fail("it encodes text in another way than latin1");
    auto bytes = latin1_bytes(*arguments[0].text());
    if (!bytes) fail("a byte string has code points above 255");
    return {std::make_shared<const Bytes>(std::move(*bytes))};
  }

  void set_state(Value state) const {
    const Value& target = top();
    if (target.dict()) return;  // a state dict's _metadata attribute
    Object* object = target.object();
    if (!object || object->arguments.is_null()) fail("it sets the state of " + target.description());
    object->state = std::move(state);
  }

  std::string_view bytes_;
  const std::string& where_;
  size_t at_ = 0;
  List stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, Value> memo_;
  List containers_;
  Inspector inspector_;
  bool inspected_ = false;
};

}  // namespace

Value read_pickle(std::string_view& bytes, const std::string& where) {
  Machine machine(bytes, where);
  Value result = machine.run();
  bytes.remove_prefix(machine.consumed());
  return result;
}

}  // namespace w2w
