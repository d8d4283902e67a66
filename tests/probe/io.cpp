#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "probe.h"
#include "w2w/base/error.h"
#include "w2w/device/device.h"
#include "w2w/io/data_frame.h"
#include "w2w/io/image.h"
#include "w2w/io/tensor_file.h"
#include "w2w/io/torch_value.h"

namespace w2w::probe {
namespace {

using nlohmann::ordered_json;

std::string argument(std::span<char* const> arguments, size_t index) {
  if (index >= arguments.size()) throw Error(ErrorKind::usage, "too few arguments");
  return arguments[index];
}

/// tensors FILE OUT.safetensors
int tensors(std::span<char* const> arguments) {
  const TensorFile file = read_tensor_file(argument(arguments, 0));
  write_safetensors(argument(arguments, 1), file.tensors, file.metadata);
  return 0;
}

/// torch IN.safetensors OUT.pt: the first tensor by write_torch_tensor
int torch(std::span<char* const> arguments) {
  write_torch_tensor(argument(arguments, 1),
                     read_safetensors(argument(arguments, 0)).tensors.begin()->second);
  return 0;
}

ordered_json tree(const Value& value) {
  if (value.is_null()) return nullptr;
  if (value.text()) return *value.text();
  if (value.bytes())
    return {{"bytes", std::vector<unsigned char>(value.bytes()->begin(), value.bytes()->end())}};
  if (const at::Tensor* tensor = value.tensor())
    return {{"tensor", dtype_name(tensor->scalar_type())}, {"shape", tensor->sizes().vec()}};
  if (const List* items = value.list()) {
    ordered_json list = ordered_json::array();
    for (const Value& item : *items) list.push_back(tree(item));
    return list;
  }
  if (const Dict* dict = value.dict()) {
    ordered_json items = ordered_json::array();
    for (const auto& [key, item] : dict->items) items.push_back({tree(key), tree(item)});
    return {{"dict", items}};
  }
  if (const Object* object = value.object())
    return {{"object", object->name}, {"arguments", tree(object->arguments)}, {"state", tree(object->state)}};
  if (std::holds_alternative<bool>(value.content)) return std::get<bool>(value.content);
  if (std::holds_alternative<int64_t>(value.content)) return std::get<int64_t>(value.content);
  return *value.number();
}

/// value FILE: the tree of a torch file as JSON; a dict is {"dict": [[key, value], ...]}
int value(std::span<char* const> arguments) {
  std::puts(tree(read_torch_file(argument(arguments, 0))).dump(-1, ' ', true).c_str());
  return 0;
}

/// labels FILE OUT.safetensors: the values; names of rows and columns as JSON on stdout
int labels(std::span<char* const> arguments) {
  const LabelTable table = read_label_table(argument(arguments, 0));
  write_safetensors(argument(arguments, 1), {{"values", table.values}}, {});
  std::puts(ordered_json{{"rows", table.rows}, {"columns", table.columns}}.dump().c_str());
  return 0;
}

/// image IN OUT.safetensors [SIDE]: the pixels and indices, with the text as metadata; SIDE: at least so many
/// are wanted
int image(std::span<char* const> arguments) {
  std::optional<int64_t> side;
  if (arguments.size() > 2) side = std::stoll(argument(arguments, 2));
  const Image picture = read_image(argument(arguments, 0), side);
  TensorMap tensors = {{"pixels", picture.pixels}};
  if (picture.indices.defined()) tensors["indices"] = picture.indices;
  write_safetensors(argument(arguments, 1), tensors, picture.text);
  return 0;
}

/// picture IN.safetensors OUT.png|OUT.jpg: the other way
int picture(std::span<char* const> arguments) {
  const TensorFile file = read_safetensors(argument(arguments, 0));
  write_image(argument(arguments, 1), file.tensors.at("pixels"), file.metadata);
  return 0;
}

}  // namespace

W2W_PROBE("tensors", tensors);
W2W_PROBE("torch", torch);
W2W_PROBE("value", value);
W2W_PROBE("labels", labels);
W2W_PROBE("image", image);
W2W_PROBE("picture", picture);

}  // namespace w2w::probe
