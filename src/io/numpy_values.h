#pragma once
#include <optional>
#include <string>

#include "w2w/io/torch_value.h"

namespace w2w {

/// What a recorded call of numpy would have made: an array of numbers as a tensor, of objects or texts as
/// lists nested by its shape, a scalar as a number or a text. Nothing for other calls, and for types without
/// a counterpart, such as dates. Error(malformed) naming `where` when the call contradicts itself.
std::optional<Value> numpy_value(const Object& call, const std::string& where);

}  // namespace w2w
