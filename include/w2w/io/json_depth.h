#pragma once
#include <string_view>

namespace w2w {

/// Brackets within brackets of a JSON text from a file: what is nested deeper is refused. Values of the JSON
/// library are copied and written by recursion, so that a few kilobytes of '[' would overflow the stack; what
/// w2w writes is nested less than ten levels deep, and about three more for each interpolation of a history.
constexpr int deepest_json = 500;

/// Whether brackets are nested deeper than that, up to the first error of the text.
bool is_json_too_deep(std::string_view text);

}  // namespace w2w
