#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>

#include "subspace.h"
#include "w2w/base/generator.h"

namespace w2w {
namespace {

constexpr const char *stage = build_stage::krylov, *basis_name = "basis", *images_name = "images",
                     *next_name = "next";

/// An orthonormal basis of what of `block` [n, b] lies outside the orthonormal `basis`. Directions that are
/// nothing but rounding beside `size` are left out.
at::Tensor orthonormal_rest(at::Tensor block, const at::Tensor& basis, double size) {
  const auto without_basis = [&](at::Tensor x) {
    for (int twice = 0; twice < 2; ++twice) x = x - basis.mm(basis.t().mm(x));
    return x;
  };
  block = without_basis(std::move(block));
  auto [q, r] = at::linalg_qr(block);
  const auto kept = (r.diagonal().abs() > size * 1e-11).nonzero().flatten();
  if (kept.numel() == 0) return block.narrow(1, 0, 0);
  q = without_basis(at::index_select(q, 1, kept));
  return std::get<0>(at::linalg_qr(q));
}

/// The orthonormal basis K [n, m'], grown block by block, and its images G K.
class KrylovBasis {
 public:
  KrylovBasis(const Standardised& x, const KrylovOptions& options, BuildFolder& folder, const Run& run)
      : x_(x), options_(options), folder_(folder), run_(run) {
    size_ = std::min({options.size, x.models(), most_exact_models});
    width_ = (size_ + options.passes - 1) / options.passes;
    blocks_ = x.blocks();
    total_ = (size_ + width_ - 1) / width_ * blocks_;
  }

  void grow() {
    int64_t done = 0;
    at::Tensor image;  // of the newest block, unfinished
    if (folder_.stage() == stage) {
      done = folder_.position(total_);
      image = read_state(done);
    } else {
      Generator random(options_.seed);
      const auto start = random.randn({x_.models(), std::min(width_, size_)}).to(x_.device(), at::kDouble);
      basis = std::get<0>(at::linalg_qr(start)).contiguous();  // as it is when a build goes on
      images = at::empty({x_.models(), 0}, basis.options());
    }
    while (true) {
      const auto newest = basis.narrow(1, images.size(1), basis.size(1) - images.size(1));
      if (!image.defined()) image = at::zeros(newest.sizes(), newest.options());
      save_if_due(image, done);
      done = add_product(image, newest, done);
      images = at::cat({images, image}, 1);
      const int64_t room = std::min(width_, size_ - basis.size(1));
      if (room <= 0) return;
      const auto next = orthonormal_rest(image.narrow(1, 0, std::min(room, image.size(1))), basis,
                                         image.norm(2, 0).max().item<double>());
      if (next.size(1) == 0) return;  // the space is invariant: nothing is left to be found
      basis = at::cat({basis, next}, 1);
      image = at::Tensor();
    }
  }

  at::Tensor basis, images;

 private:
  /// The image of the newest block, as far as it had come.
  at::Tensor read_state(int64_t done) {
    const auto taken = [&](const char* name) {
      return folder_.tensor(name, at::kDouble, {x_.models(), -1}).clone().to(x_.device());
    };
    basis = taken(basis_name);
    images = taken(images_name);
    auto image = taken(next_name);
    const int64_t known = images.size(1);
    if (basis.size(1) > size_ || known >= basis.size(1) || image.size(1) != basis.size(1) - known ||
        (known > 0) != (done >= blocks_) || known > done / blocks_ * width_) {
      folder_.refuse_state(
          fmt::format("{} basis vectors, {} images and {} unfinished ones are inconsistent "
                      "after {} blocks",
                      basis.size(1), known, image.size(1), done));
    }
    return image;
  }

  /// image += X X^T q over the blocks of columns that are left of this pass.
  int64_t add_product(at::Tensor& image, const at::Tensor& q, int64_t done) {
    do {
      const auto x = x_.block(done % blocks_);
      image.addmm_(x, x.t().mm(q));
      ++done;
      run_.report({"subspace", std::min(done, total_), total_, {}});
      if (done % blocks_ != 0) save_if_due(image, done);
    } while (done % blocks_ != 0);
    return done;
  }

  void save_if_due(const at::Tensor& image, int64_t done) {
    if (folder_.due()) {
      folder_.save(stage, done, {{basis_name, basis}, {images_name, images}, {next_name, image}});
    }
    run_.check_stop();
  }

  const Standardised& x_;
  const KrylovOptions& options_;
  BuildFolder& folder_;
  const Run& run_;
  int64_t size_, width_, blocks_, total_;
};

}  // namespace

Subspace krylov_subspace(const Standardised& x, int64_t count, const KrylovOptions& options,
                         BuildFolder& folder, const Run& run) {
  KrylovBasis krylov(x, options, folder, run);
  krylov.grow();
  auto projected = krylov.basis.t().mm(krylov.images);
  projected = (projected + projected.t()) / 2;
  const auto [ascending, rotation] = at::linalg_eigh(projected);
  const auto eigenvalues = ascending.flip(0);
  Subspace found;
  found.rank = (eigenvalues > eigenvalues[0] * 1e-11).sum().item<int64_t>();
  const int64_t k = std::min(count, found.rank);
  const auto leading = rotation.narrow(1, rotation.size(1) - k, k).flip(1);
  found.eigenvalues = eigenvalues.narrow(0, 0, k).clone().cpu();
  found.vectors = krylov.basis.mm(leading).cpu();
  found.images = krylov.images.mm(leading).cpu();
  found.residual = (found.images - found.vectors * found.eigenvalues).norm(2, 0) / found.eigenvalues;
  return found;
}

}  // namespace w2w
