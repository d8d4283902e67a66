#include "space/directions/row_blocks.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "w2w/base/run.h"

namespace w2w {

void for_row_blocks(const at::Tensor& a, const Run& run,
                    const std::function<void(const at::Tensor&, int64_t)>& use) {
  constexpr int64_t block_rows = 1024;
  for (int64_t row = 0; row < a.size(0); row += block_rows) {
    run.check_stop();
    use(a.narrow(0, row, std::min(block_rows, a.size(0) - row)).to(at::kDouble), row);
  }
}

at::Tensor product(const at::Tensor& a, const at::Tensor& x, const Run& run) {
  auto result = at::empty({a.size(0), x.size(1)}, at::kDouble);
  for_row_blocks(a, run, [&](const at::Tensor& block, int64_t row) {
    auto part = result.narrow(0, row, block.size(0));
    at::mm_out(part, block, x);
  });
  return result;
}

at::Tensor transposed_product(const at::Tensor& a, const at::Tensor& y, const Run& run) {
  auto result = at::zeros({a.size(1), y.size(1)}, at::kDouble);
  for_row_blocks(a, run, [&](const at::Tensor& block, int64_t row) {
    result.addmm_(block.t(), y.narrow(0, row, block.size(0)));
  });
  return result;
}

}  // namespace w2w
