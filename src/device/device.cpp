#include "w2w/device/device.h"

#include <charconv>
#include <optional>

#include "w2w/base/error.h"
#include "w2w/base/nearest_name.h"
#include "w2w/device/accelerator.h"

namespace w2w {

namespace {

/// N of "cuda:N", 0 of "cuda"; nothing for other texts.
std::optional<int> cuda_index(std::string_view text) {
  constexpr std::string_view cuda = "cuda";
  if (!text.starts_with(cuda)) return std::nullopt;
  text.remove_prefix(cuda.size());
  if (text.empty()) return 0;
  int index = 0;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), index);
  const bool whole = text.front() == ':' && error == std::errc{} && end == text.data() + text.size();
  return whole && index >= 0 ? std::optional(index) : std::nullopt;
}

c10::Device cuda_device(int index) {
  auto* cuda = accelerator();
  if (!cuda) {
    throw Error(ErrorKind::failure, "no CUDA device can be used: " + accelerator_problem(),
                "use <device> cpu");
  }
  const auto count = static_cast<int>(cuda->devices().size());
  if (index >= count) {
    throw Error(ErrorKind::failure,
                "there is no CUDA device " + std::to_string(index) + ": found " + std::to_string(count),
                "devices are numbered from cuda:0");
  }
  cuda->choose(index);
  return {c10::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

}  // namespace

bool is_device_name(std::string_view text) { return text == "auto" || text == "cpu" || cuda_index(text); }

c10::Device parse_device(std::string_view text) {
  if (text == "cpu") return c10::kCPU;
  if (text == "auto") return accelerator() ? cuda_device(0) : c10::Device(c10::kCPU);
  if (const auto index = cuda_index(text)) return cuda_device(*index);
  throw Error(ErrorKind::usage,
              "unknown device '" + std::string(text) + "'; expected auto, cpu, cuda or cuda:N",
              suggest(text, {"auto", "cpu", "cuda"}));
}

c10::ScalarType parse_dtype(std::string_view text, c10::Device device) {
  if (text == "auto") {
    if (!device.is_cuda()) return c10::kFloat;
    const auto facts = accelerator()->devices().at(static_cast<size_t>(device.index()));
    return facts.major >= 8 ? c10::kBFloat16 : c10::kHalf;
  }
  if (text == "f32") return c10::kFloat;
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
    case c10::kFloat8_e4m3fn:
      return "f8 (e4m3)";
    case c10::kFloat8_e5m2:
      return "f8 (e5m2)";
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

}  // namespace w2w
