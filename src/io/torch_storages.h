#pragma once
#include <c10/core/ScalarType.h>

#include <array>
#include <utility>

namespace w2w {

/// The storage classes of torch files.
inline constexpr std::array<std::pair<const char*, c10::ScalarType>, 10> torch_storages{{
    {"DoubleStorage", c10::ScalarType::Double},
    {"FloatStorage", c10::ScalarType::Float},
    {"HalfStorage", c10::ScalarType::Half},
    {"BFloat16Storage", c10::ScalarType::BFloat16},
    {"LongStorage", c10::ScalarType::Long},
    {"IntStorage", c10::ScalarType::Int},
    {"ShortStorage", c10::ScalarType::Short},
    {"CharStorage", c10::ScalarType::Char},
    {"ByteStorage", c10::ScalarType::Byte},
    {"BoolStorage", c10::ScalarType::Bool},
}};

}  // namespace w2w
