#pragma once
// The element types the kernels are built for.

namespace w2w::cuda {

enum class Element { f32, f16, bf16 };

}  // namespace w2w::cuda
