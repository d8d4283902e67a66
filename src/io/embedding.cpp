#include "io/embedding.h"

namespace w2w {

bool is_embedding(const TensorMap& tensors) {
  if (tensors.size() != 1 || tensors.begin()->second.dim() < 1 || tensors.begin()->second.dim() > 2)
    return false;
  const auto width = tensors.begin()->second.size(-1);
  const auto& name = tensors.begin()->first;
  const bool fits = width == 768 || width == 1024 || width == 1280;
  return fits && !name.empty() && name != "coefficients" && name.find('.') == std::string::npos;
}

}  // namespace w2w
