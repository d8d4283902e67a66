#include "w2w/pipeline/inversion_picture.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "w2w/base/error.h"
#include "w2w/base/run.h"
#include "w2w/pipeline/mask.h"

namespace w2w {
namespace {

using at::Tensor;

/// x: f32 [C, H, W]; the same as torch's interpolate(mode="bilinear", antialias=True).
Tensor resized(const Tensor& x, int64_t height, int64_t width) {
  if (x.size(1) == height && x.size(2) == width) return x;
  return at::_upsample_bilinear2d_aa(x.unsqueeze(0), {height, width}, false).squeeze(0);
}

/// The u8 channels [first, first + count) as f32 [count, H, W] in 0..1.
Tensor channels(const Tensor& pixels, int64_t first, int64_t count) {
  return pixels.narrow(2, first, count).permute({2, 0, 1}).to(at::kFloat).div_(255);
}

/// A region of the picture (left, top, width, height) that is scaled into the middle of the canvas; only with
/// Fit::pad is its scaled size (inner) smaller than the canvas.
struct Placement {
  int64_t left, top, width, height;
  int64_t inner_width, inner_height;

  bool operator==(const Placement&) const = default;
};

Placement place(Fit fit, int64_t width, int64_t height, int64_t to_width, int64_t to_height) {
  Placement p{0, 0, width, height, to_width, to_height};
  const auto wide = width * to_height, tall = to_width * height;  // aspect ratios, without division
  const auto part = [](int64_t a, int64_t b, int64_t c) {
    return std::max<int64_t>(1, (2 * a * b + c) / (2 * c));
  };
  if (fit == Fit::crop) {
    if (wide > tall) p.width = part(height, to_width, to_height);
    if (wide < tall) p.height = part(width, to_height, to_width);
    p.left = (width - p.width) / 2;
    p.top = (height - p.height) / 2;
  } else if (fit == Fit::pad) {
    if (wide > tall) p.inner_height = part(to_width, height, width);
    if (wide < tall) p.inner_width = part(to_height, width, height);
  }
  return p;
}

/// The rows and columns [first, end) of a mask [1, H, W] that count; nothing where none does.
struct Box {
  int64_t left, top, right, bottom;
};
std::optional<Box> box_of(const Tensor& mask) {
  const auto range = [](const Tensor& counts) {
    const auto found = counts.nonzero();
    return std::pair(found.min().item<int64_t>(), found.max().item<int64_t>() + 1);
  };
  const auto counts = mask[0].gt(0.1);
  if (!counts.any().item<bool>()) return {};
  const auto [left, right] = range(counts.any(0));
  const auto [top, bottom] = range(counts.any(1));
  return Box{left, top, right, bottom};
}

/// The centred crop `p` of a picture, or where the box does not fill it or is cut by it, the crop of the same
/// aspect ratio around the box: with a margin of a fifth of the box at each side, but no larger than `p`.
Placement around(const Box& box, Placement p, int64_t width, int64_t height) {
  constexpr double with_margin = 1.4;
  const auto share =
      with_margin * std::max(static_cast<double>(box.right - box.left) / static_cast<double>(p.width),
                             static_cast<double>(box.bottom - box.top) / static_cast<double>(p.height));
  const bool inside = box.left >= p.left && box.right <= p.left + p.width && box.top >= p.top &&
                      box.bottom <= p.top + p.height;
  if (inside && share >= 1) return p;
  const auto scale = std::min(share, 1.0);
  const auto placed = [scale](int64_t& first, int64_t& size, int64_t from, int64_t to, int64_t all) {
    size = std::max<int64_t>(1, std::llround(scale * static_cast<double>(size)));
    first = std::clamp<int64_t>((from + to - size) / 2, 0, all - size);
  };
  placed(p.left, p.width, box.left, box.right, width);
  placed(p.top, p.height, box.top, box.bottom, height);
  return p;
}

/// x: f32 [C, H, W], the part of the picture -> [C, height, width], borders `fill`.
Tensor placed_part(const Tensor& x, const Placement& p, int64_t width, int64_t height, double fill) {
  const auto inner = resized(x, p.inner_height, p.inner_width);
  const int64_t left = (width - p.inner_width) / 2, top = (height - p.inner_height) / 2;
  return at::constant_pad_nd(inner, {left, width - p.inner_width - left, top, height - p.inner_height - top},
                             fill);
}

/// The same of the whole picture.
Tensor placed(const Tensor& x, const Placement& p, int64_t width, int64_t height, double fill) {
  return placed_part(x.narrow(1, p.top, p.height).narrow(2, p.left, p.width), p, width, height, fill);
}

/// The same part of the picture, of which `to` is a reduced one.
Placement scaled(const Placement& p, int64_t to_width, int64_t to_height, int64_t width, int64_t height) {
  if (to_width == width && to_height == height) return p;
  const auto part = [](int64_t& first, int64_t& size, int64_t to, int64_t from) {
    const auto factor = static_cast<double>(to) / static_cast<double>(from);
    size = std::clamp<int64_t>(std::llround(static_cast<double>(size) * factor), 1, to);
    first = std::clamp<int64_t>(std::llround(static_cast<double>(first) * factor), 0, to - size);
  };
  auto result = p;
  part(result.left, result.width, to_width, width);
  part(result.top, result.height, to_height, height);
  return result;
}

/// Nobody shall wonder about what is missing: a tenth or more.
void tell_crop(const Placement& p, const Image& picture, const std::string& name, const Run& run) {
  const int64_t height = picture.pixels.size(0), width = picture.pixels.size(1);
  if (p.width * p.height * 10 > width * height * 9) return;
  const auto [full_height, full_width] = picture.full_size.value_or(std::pair(height, width));
  const auto full = scaled(p, full_width, full_height, width, height);
  const bool middle = 2 * p.left + p.width - width <= 1 && width - 2 * p.left - p.width <= 1 &&
                      2 * p.top + p.height - height <= 1 && height - 2 * p.top - p.height <= 1;
  run.notice(fmt::format("{} is {}x{}: {} {}x{} is used", std::filesystem::path(name).filename().string(),
                         full_width, full_height, middle ? "the middle" : "the part around the mask,",
                         full.width, full.height));
}

}  // namespace

const std::vector<std::string>& fit_names() {
  static const std::vector<std::string> names = {"crop", "pad", "stretch"};
  return names;
}

Fit parse_fit(const std::string& name) {
  const auto at = std::find(fit_names().begin(), fit_names().end(), name);
  if (at == fit_names().end()) throw Error(ErrorKind::usage, "no such fit: " + name);
  return static_cast<Fit>(at - fit_names().begin());
}

InversionPicture fit_picture(const Image& picture, const std::string& name, const std::optional<Image>& mask,
                             const std::string& mask_name, Fit fit, int64_t width, int64_t height,
                             int64_t down_factor, const std::vector<int64_t>& mask_labels, const Run& run) {
  const int64_t from_height = picture.pixels.size(0), from_width = picture.pixels.size(1);
  const auto [full_height, full_width] = picture.full_size.value_or(std::pair(from_height, from_width));
  auto placement = place(fit, from_width, from_height, width, height);
  Tensor values = mask                      ? mask_weights(*mask, mask_name, mask_labels)
                  : is_transparent(picture) ? channels(picture.pixels, 3, 1)
                                            : Tensor();
  const bool as_full = values.defined() && values.size(1) == full_height && values.size(2) == full_width;
  if (values.defined() && !as_full && (values.size(1) != from_height || values.size(2) != from_width)) {
    run.notice(fmt::format("the mask ({}) is {}x{}, its picture {}x{}: the mask is resized", mask_name,
                           values.size(2), values.size(1), full_width, full_height));
    values = resized(values, from_height, from_width);
  }
  auto of_mask = placement;
  if (as_full) of_mask = place(fit, full_width, full_height, width, height);  // of a picture that was reduced
  if (const auto box = values.defined() && fit == Fit::crop ? box_of(values) : std::nullopt) {
    const auto moved = around(*box, of_mask, values.size(2), values.size(1));
    if (moved != of_mask)
      placement = as_full ? scaled(moved, from_width, from_height, full_width, full_height) : moved;
    of_mask = moved;
  }
  tell_crop(placement, picture, name, run);
  InversionPicture result;
  const auto part =
      picture.pixels.narrow(0, placement.top, placement.height).narrow(1, placement.left, placement.width);
  result.image = placed_part(channels(part, 0, 3).mul_(2).sub_(1), placement, width, height, 0).contiguous();

  const bool padded = placement.inner_width < width || placement.inner_height < height;
  if (!values.defined() && !padded) return result;
  if (!values.defined()) values = at::ones({1, from_height, from_width});
  const int64_t columns = width / down_factor, rows = height / down_factor;
  if (padded) {  // the border's edge need not lie between two latents
    values = resized(placed(values, of_mask, width, height, 0), rows, columns);
  } else {
    values = placed(values, {of_mask.left, of_mask.top, of_mask.width, of_mask.height, columns, rows},
                    columns, rows, 0);
  }
  result.mask = values.squeeze(0).clamp(0, 1).contiguous();
  if (result.mask.max().item<float>() < 1.0F / 255) {
    const auto& where = mask ? mask_name : name;
    throw Error(
        ErrorKind::malformed,
        fmt::format("the mask hides the whole picture ({}): expected white where the person is", where),
        "white (or opaque) counts, black (or transparent) is ignored");
  }
  return result;
}

}  // namespace w2w
