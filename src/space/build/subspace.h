#pragma once
// The leading left singular vectors of X, the standardised models, as eigenvectors of G = X X^T [n, n]: n is
// far below the number of parameters. Everything in f64: in f32 the small components lose their
// orthogonality.

#include <ATen/core/Tensor.h>

#include "build_folder.h"
#include "standardised.h"
#include "w2w/base/run.h"

namespace w2w {

/// Eigenvalues s^2 [k], the largest first, eigenvectors U [n, k] and G U [n, k], on the CPU.
struct Subspace {
  at::Tensor eigenvalues, vectors, images;
  int64_t rank = 0;     ///< how many eigenvalues are more than rounding, of all that were found
  at::Tensor residual;  ///< |G u - s^2 u| / s^2 of each [k]: zero but for rounding when exact
};

/// All of G over blocks of columns of X, then its eigenvectors by LAPACK: 4 n^2 numbers of memory. `count`
/// vectors, or as many as the rank allows. Error(usage) above `most_models`.
Subspace exact_subspace(const Standardised& x, int64_t count, BuildFolder& folder, const Run& run);
constexpr int64_t most_exact_models = 32'766;  ///< the 32-bit integers of LAPACK

struct KrylovOptions {
  int64_t size = 0;    ///< vectors of the basis in all, m; at most n and most_exact_models
  int64_t passes = 8;  ///< over X, in each of which the basis grows by size / passes vectors
  uint64_t seed = 0;   ///< of its first, random vectors
};

/// Without forming G: the best approximation within the block Krylov space of a random block Q, span(Q, G Q,
/// G^2 Q,
/// ...) (Musco & Musco 2015), by Rayleigh and Ritz. For the same number of products it is far nearer than
/// subspace iteration, which keeps the last block only: on a slow spectrum, 8 passes of k / 2 vectors give
/// residuals of 2e-5 where 4 passes of 2 k vectors, twice the work, give 1e-2. 2 n m numbers of memory.
Subspace krylov_subspace(const Standardised& x, int64_t count, const KrylovOptions& options,
                         BuildFolder& folder, const Run& run);

}  // namespace w2w
