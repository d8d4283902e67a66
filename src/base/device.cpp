#include "w2w/base/device.h"

#include <ATen/Parallel.h>

#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"

namespace w2w {

c10::Device parse_device(std::string_view text) {
  if (text == "auto" || text == "cpu") return c10::kCPU;
  if (text == "cuda" || text.starts_with("cuda:")) {
    throw Error(ErrorKind::failure, "no CUDA device can be used: this build of w2w has no CUDA plug-in",
                "use --device cpu");
  }
  throw Error(ErrorKind::usage,
              "unknown device '" + std::string(text) + "'; expected auto, cpu, cuda or cuda:N",
              suggest(text, {"auto", "cpu", "cuda"}));
}

c10::ScalarType parse_dtype(std::string_view text, c10::Device) {
  if (text == "auto" || text == "f32") return c10::kFloat;
  if (text == "bf16") return c10::kBFloat16;
  if (text == "f16") return c10::kHalf;
  throw Error(ErrorKind::usage, "unknown dtype '" + std::string(text) + "'; expected auto, f32, bf16 or f16",
              suggest(text, {"auto", "f32", "bf16", "f16"}));
}

std::string dtype_name(c10::ScalarType dtype) {
  switch (dtype) {
    case c10::kFloat:
      return "f32";
    case c10::kDouble:
      return "f64";
    case c10::kHalf:
      return "f16";
    case c10::kBFloat16:
      return "bf16";
    case c10::kLong:
      return "i64";
    case c10::kInt:
      return "i32";
    case c10::kShort:
      return "i16";
    case c10::kChar:
      return "i8";
    case c10::kByte:
      return "u8";
    case c10::kBool:
      return "bool";
    default:
      return c10::toString(dtype);
  }
}

void set_threads(int count) {
  if (count > 0) at::set_num_threads(count);
}

}  // namespace w2w
