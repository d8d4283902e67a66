#pragma once
#include <ATen/core/Tensor.h>

namespace w2w {

/// The X, f64 [k, m], that minimises |A X - B| over the rows where `known` (bool [n]) is true; A [n, k] of
/// any floating type, a view of a mapped file, is converted a few megabytes at a time; B f64 [n, m]. First by
/// the columns alone, as if they were orthogonal: accepted when the residual of the normal equations A^T A X
/// = A^T B is below 1e-6 of their right side (columns scaled to length one), which bounds the error as much.
/// Otherwise by the eigenvectors of A^T A: minimum norm when it is singular.
at::Tensor least_squares(const at::Tensor& a, const at::Tensor& known, const at::Tensor& b);

/// A X for X f64 [k, m], f64 [n, m].
at::Tensor product(const at::Tensor& a, const at::Tensor& x);

}  // namespace w2w
