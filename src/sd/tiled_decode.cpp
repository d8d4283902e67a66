#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "w2w/sd/vae.h"

namespace w2w {
namespace {

/// Starts of tiles that cover `size`: a stride of three quarters of a tile, the last one flush with the end.
std::vector<int64_t> tile_starts(int64_t size, int64_t tile) {
  std::vector<int64_t> starts;
  const int64_t stride = tile - tile / 4;
  for (int64_t at = 0; at + tile < size; at += stride) starts.push_back(at);
  starts.push_back(std::max<int64_t>(0, size - tile));
  return starts;
}

/// Weight of each pixel along one side of a tile: a linear ramp over a quarter at both ends, never zero.
Tensor ramp(int64_t pixels, const at::TensorOptions& options) {
  const auto index = at::arange(pixels, options) + 0.5;
  const double width = std::max<double>(1.0, static_cast<double>(pixels) / 4);
  return (at::minimum(index, static_cast<double>(pixels) - index) / width).clamp_max(1.0);
}

}  // namespace

Tensor VaeDecoder::tiled(const Tensor& latents, int64_t tile) const {
  const int64_t height = latents.size(2), width = latents.size(3), f = down_factor_;
  if (height <= tile && width <= tile) return (*this)(latents);
  const int64_t tile_h = std::min(tile, height), tile_w = std::min(tile, width);
  const auto options = latents.options().dtype(at::kFloat);
  const auto weight = ramp(tile_h * f, options).unsqueeze(1) * ramp(tile_w * f, options);
  Tensor sum, total = at::zeros({height * f, width * f}, options);
  for (const int64_t y : tile_starts(height, tile_h)) {
    for (const int64_t x : tile_starts(width, tile_w)) {
      const auto decoded = (*this)(latents.slice(2, y, y + tile_h).slice(3, x, x + tile_w)).to(at::kFloat);
      if (!sum.defined()) sum = at::zeros({latents.size(0), decoded.size(1), height * f, width * f}, options);
      sum.slice(2, y * f, (y + tile_h) * f).slice(3, x * f, (x + tile_w) * f) += decoded * weight;
      total.slice(0, y * f, (y + tile_h) * f).slice(1, x * f, (x + tile_w) * f) += weight;
    }
  }
  return sum / total;
}

}  // namespace w2w
