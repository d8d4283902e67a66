#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>

#include "subspace.h"
#include "w2w/base/error.h"
#include "w2w/base/interruptible.h"

namespace w2w {
namespace {

constexpr const char *stage = build_stage::gram, *matrix = "gram";

/// G += X_b X_b^T for the tiles on and above the diagonal, by strips of rows: little more than half the work.
/// ATen has no syrk.
void add_block(at::Tensor& gram, const at::Tensor& x) {
  const int64_t models = x.size(0), strip = std::max<int64_t>(64, (models + 15) / 16);
  for (int64_t row = 0; row < models; row += strip) {
    const int64_t rows = std::min(strip, models - row);
    gram.narrow(0, row, rows)
        .narrow(1, row, models - row)
        .addmm_(x.narrow(0, row, rows), x.narrow(0, row, models - row).t());
  }
}

/// The lower triangle from the upper one.
void mirror(at::Tensor& gram) {
  const int64_t models = gram.size(0), strip = 256;
  for (int64_t row = 0; row < models; row += strip) {
    const int64_t end = std::min(row + strip, models);
    const auto diagonal = gram.narrow(0, row, end - row).narrow(1, row, end - row);
    diagonal.copy_(diagonal.triu() + diagonal.triu(1).t());
    gram.narrow(0, end, models - end)
        .narrow(1, row, end - row)
        .copy_(gram.narrow(0, row, end - row).narrow(1, end, models - end).t());
  }
}

at::Tensor gram_matrix(const Standardised& x, BuildFolder& folder, const Run& run) {
  const bool resumed = folder.stage() == stage;
  auto gram = resumed ? folder.tensor(matrix, at::kDouble, {x.models(), x.models()}).clone()
                      : at::zeros({x.models(), x.models()}, at::kDouble);
  gram = gram.to(x.device());
  const auto blocks = x.blocks();
  for (int64_t block = resumed ? folder.position(blocks) : 0; block < blocks;) {
    add_block(gram, x.block(block));
    ++block;
    run.report({"Gram matrix", block, blocks, {}});
    if (folder.due() || (block == blocks && blocks > 1)) folder.save(stage, block, {{matrix, gram}});
    run.check_stop();
  }
  mirror(gram);
  return gram;
}

}  // namespace

Subspace exact_subspace(const Standardised& x, int64_t count, BuildFolder& folder, const Run& run) {
  if (x.models() > most_exact_models) {
    throw Error(
        ErrorKind::usage,
        fmt::format("the exact method is for at most {} models, found {}", most_exact_models, x.models()),
        "<method> randomized has no such limit");
  }
  const auto gram = gram_matrix(x, folder, run);
  run.report({"eigenvectors", 0, 1, {}});
  const auto [ascending, vectors] = interruptible(run, [gram] { return at::linalg_eigh(gram); });
  run.report({"eigenvectors", 1, 1, {}});
  Subspace found;
  const auto eigenvalues = ascending.flip(0);
  // Rounding in G is of the order of epsilon times its largest eigenvalue.
  const double rounding = 32 * 2.2e-16 * static_cast<double>(std::max<int64_t>(x.models(), 100));
  found.rank = (eigenvalues > eigenvalues[0] * rounding).sum().item<int64_t>();
  const int64_t k = std::min(count, found.rank);
  const auto leading = vectors.narrow(1, x.models() - k, k).flip(1);
  found.eigenvalues = eigenvalues.narrow(0, 0, k).clone().cpu();
  found.vectors = leading.cpu();
  found.images = gram.mm(leading).cpu();
  found.residual = (found.images - found.vectors * found.eigenvalues).norm(2, 0) / found.eigenvalues;
  return found;
}

}  // namespace w2w
