#pragma once
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <string>
#include <string_view>

namespace w2w {

/// Whether parse_device knows a text of this form, on whatever machine.
bool is_device_name(std::string_view text);

/// "cpu"; "cuda", "cuda:N": the first or N-th CUDA device, which becomes the current one; "auto": the first
/// CUDA device where there is one, else the CPU. Error(failure) says why a CUDA device cannot be used.
/// Anything else: Error(usage).
c10::Device parse_device(std::string_view text);

/// "f32", "bf16", "f16"; "auto" is the fastest one proven on `device`: f32 on a CPU; on a CUDA device bf16,
/// or f16 where it knows no bf16. Anything else: Error(usage).
c10::ScalarType parse_dtype(std::string_view text, c10::Device device);

/// "f32", "bf16", "f16", "f64", "i64", ... as printed to people.
std::string dtype_name(c10::ScalarType dtype);

}  // namespace w2w
