#pragma once
#include "w2w/io/tensor_file.h"

namespace w2w {

/// Everything before the bytes of a safetensors file of one tensor.
std::string safetensors_header(const std::string& name, at::IntArrayRef shape, at::ScalarType dtype,
                               const Metadata& metadata);

}  // namespace w2w
