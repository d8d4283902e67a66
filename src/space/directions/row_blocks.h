#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

#include "w2w/base/run.h"

namespace w2w {

/// Calls `use(block, first row)` for successive blocks of the rows of A [n, k], of any floating type and
/// possibly a view of a mapped file, converted to f64 a few megabytes at a time.
void for_row_blocks(const at::Tensor& a, const Run& run,
                    const std::function<void(const at::Tensor&, int64_t)>& use);

/// A X, f64 [n, m], for X f64 [k, m].
at::Tensor product(const at::Tensor& a, const at::Tensor& x, const Run& run = {});

/// A^T Y, f64 [k, m], for Y f64 [n, m].
at::Tensor transposed_product(const at::Tensor& a, const at::Tensor& y, const Run& run = {});

}  // namespace w2w
