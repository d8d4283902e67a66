#pragma once
#include <ATen/core/Tensor.h>

#include "w2w/base/run.h"

namespace w2w {

/// The X, f64 [k, m], that minimises |A X - B|^2 + penalty |X|^2 over the rows where `known` (bool [n]) is
/// true; A [n, k] as in row_blocks.h, B f64 [n, m]. The penalty is `ridge` times the mean of the columns'
/// |a_j|^2 over those rows, so that `ridge` means the same for any number of rows and any scale of A. First
/// by the columns alone, as if they were orthogonal: accepted when the residual of the normal equations (A^T
/// A + penalty) X = A^T B is below 1e-6 of their right side (columns scaled to length one), which bounds the
/// error as much. Otherwise by the eigenvectors of A^T A: minimum norm when it is singular.
at::Tensor least_squares(const at::Tensor& a, const at::Tensor& known, const at::Tensor& b, double ridge = 0,
                         const Run& run = {});

}  // namespace w2w
