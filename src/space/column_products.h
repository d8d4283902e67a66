#pragma once
#include <ATen/core/Tensor.h>

namespace w2w {

// For `matrix` [k, P] (the compact form), on its device: one product in f32. Narrower values are converted a
// part at a time, on a CPU 8 MB, which stays in its cache; bf16 on a GPU is multiplied as it is.

/// c @ matrix, f32 [P], for c f32 [k].
at::Tensor product_by_columns(const at::Tensor& matrix, const at::Tensor& c);

/// matrix @ x, f32 [k], for x f32 [P].
at::Tensor transposed_product_by_columns(const at::Tensor& matrix, const at::Tensor& x);

}  // namespace w2w
