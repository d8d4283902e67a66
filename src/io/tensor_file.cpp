#include "w2w/io/tensor_file.h"

namespace w2w {

TensorFile read_tensor_file(const std::filesystem::path& path) { return read_safetensors(path); }

}  // namespace w2w
