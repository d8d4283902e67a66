// A pickle is a program for a stack machine (Python's pickletools documents every opcode). This one builds
// data only.

#include "w2w/io/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "io/pickle_names.h"
#include "io/text_encoding.h"
#include "io/value_inspector.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

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

  // clang-format off
  // Groups of opcodes, one a line; false when the opcode is not of the group.

  bool constant(int opcode) {
    switch (opcode) {
      case 'N': push({}); return true;
      case 0x88: push({true}); return true;
      case 0x89: push({false}); return true;
      case 'J': push({int64_t{number<int32_t>()}}); return true;
      case 'K': push({int64_t{number<uint8_t>()}}); return true;
      case 'M': push({int64_t{number<uint16_t>()}}); return true;
      case 0x8a: push(long_integer(number<uint8_t>())); return true;
      case 0x8b: push(long_integer(number<uint32_t>())); return true;
      case 'G': push({big_endian_double()}); return true;
      case 0x95: take(8); return true;  // FRAME: a hint for readers of streams
      default:
        return false;
    }
  }

  bool text_or_bytes(int opcode) {
    switch (opcode) {
      case 'U':
      case 0x8c: push(make_text(std::string(take(number<uint8_t>())))); return true;
      case 'T':
      case 'X': push(make_text(std::string(take(number<uint32_t>())))); return true;
      case 0x8d: push(make_text(std::string(take(number<uint64_t>())))); return true;
      case 'C': push(make_bytes(take(number<uint8_t>()))); return true;
      case 'B': push(make_bytes(take(number<uint32_t>()))); return true;
      case 0x8e:
      case 0x96: push(make_bytes(take(number<uint64_t>()))); return true;
      default:
        return false;
    }
  }

  bool container(int opcode) {
    switch (opcode) {
      case '(': marks_.push_back(stack_.size()); return true;
      case '0': pop(); return true;
      case '1': pop_to_mark(); return true;
      case '2': push(Value(top())); return true;
      case ')':
      case ']':
      case 0x8f: push(make_list({})); return true;
      case 0x85: push(make_list(pop_top(1))); return true;
      case 0x86: push(make_list(pop_top(2))); return true;
      case 0x87: push(make_list(pop_top(3))); return true;
      case 't':
      case 'l':
      case 0x91: push(make_list(pop_to_mark())); return true;
      case 'a': append(pop_top(1)); return true;
      case 'e':
      case 0x90: append(pop_to_mark()); return true;
      case '}': push({std::make_shared<Dict>()}); return true;
      case 's': set_items(pop_top(2)); return true;
      case 'u': set_items(pop_to_mark()); return true;
      default:
        return false;
    }
  }

  bool memo(int opcode) {
    switch (opcode) {
      case 'q': memo_[number<uint8_t>()] = top(); return true;
      case 'r': memo_[number<uint32_t>()] = top(); return true;
      case 0x94: memo_[static_cast<uint32_t>(memo_.size())] = top(); return true;
      case 'h': recall(number<uint8_t>()); return true;
      case 'j': recall(number<uint32_t>()); return true;
      default:
        return false;
    }
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
      case 'b': set_state(pop()); return true;
      case 'Q': push({std::make_shared<Object>("persistent_id", pop(), Value{})}); return true;
      default:
        return false;
    }
  }
  // clang-format on

  // What they do.

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

  static Value make_bytes(std::string_view bytes) {
    return {std::make_shared<const Bytes>(std::string(bytes))};
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

  void recall(uint32_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) fail(fmt::format("it recalls memo {}, which was never stored", index));
    stack_.push_back(found->second);
  }

  Value global(const std::string& module, const std::string& name) const {
    const std::string full = pickle_global_name(module, name);
    if (!is_allowed_in_pickles(full))
      fail("it uses '" + full.substr(0, 200) + "', which is not on the list of allowed names",
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
    auto bytes = utf8_to_latin1(*arguments[0].text());
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
  ValueInspector inspector_;
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
