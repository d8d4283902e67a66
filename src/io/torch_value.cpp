#include "w2w/io/torch_value.h"

#include <fmt/format.h>

namespace w2w {
namespace {

template <typename T>
T* pointee(const Value::Content& content) {
  const auto* pointer = std::get_if<std::shared_ptr<T>>(&content);
  return pointer ? pointer->get() : nullptr;
}

}  // namespace

const std::string* Value::text() const { return pointee<const std::string>(content); }

const std::string* Value::bytes() const {
  const Bytes* found = pointee<const Bytes>(content);
  return found ? &found->bytes : nullptr;
}

List* Value::list() const { return pointee<List>(content); }
Dict* Value::dict() const { return pointee<Dict>(content); }
Object* Value::object() const { return pointee<Object>(content); }

std::optional<int64_t> Value::integer() const {
  if (const bool* flag = std::get_if<bool>(&content)) return *flag ? 1 : 0;
  if (const int64_t* number = std::get_if<int64_t>(&content)) return *number;
  return std::nullopt;
}

std::optional<double> Value::number() const {
  if (const double* real = std::get_if<double>(&content)) return *real;
  if (const auto whole = integer()) return static_cast<double>(*whole);
  return std::nullopt;
}

std::vector<Value*> Value::children() const {
  std::vector<Value*> result;
  if (List* items = list())
    for (Value& item : *items) result.push_back(&item);
  if (Dict* pairs = dict())
    for (auto& [key, value] : pairs->items) result.insert(result.end(), {&key, &value});
  if (Object* call = object()) result = {&call->arguments, &call->state};
  return result;
}

const void* Value::address() const {
  if (const void* items = list()) return items;
  if (const void* pairs = dict()) return pairs;
  return object();
}

std::string Value::description() const {
  if (is_null()) return "nothing";
  if (text()) return "the text '" + text()->substr(0, 60) + "'";
  if (bytes()) return fmt::format("{} bytes", bytes()->size());
  if (tensor()) return "a tensor";
  if (list()) return fmt::format("a list of {}", list()->size());
  if (dict()) return fmt::format("a dict of {}", dict()->items.size());
  if (object()) return "a " + object()->name;
  return fmt::format("the number {}", *number());
}

const Value* Dict::find(std::string_view key) const {
  for (auto item = items.rbegin(); item != items.rend(); ++item)
    if (item->first.text() && *item->first.text() == key) return &item->second;
  return nullptr;
}

Value make_text(std::string text) { return {std::make_shared<const std::string>(std::move(text))}; }
Value make_list(List items) { return {std::make_shared<List>(std::move(items))}; }

}  // namespace w2w
