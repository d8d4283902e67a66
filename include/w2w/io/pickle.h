#pragma once
#include <string>
#include <string_view>

#include "w2w/io/torch_value.h"

namespace w2w {

/// Runs one pickle of protocol 2 to 5 as data: classes and functions must be on an allow-list and are
/// recorded as Objects, never called. Persistent ids become Objects named "persistent_id". `bytes` is
/// advanced past the pickle; `where` names the file in errors. Error(malformed) for damaged input, a name
/// that is not allowed, a structure that contains itself, is nested deeper than 100 or would unfold to more
/// than 100 million values.
Value read_pickle(std::string_view& bytes, const std::string& where);

}  // namespace w2w
