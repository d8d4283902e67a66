#include "w2w/pipeline/inversion_picture.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
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
  auto placement = place(fit, from_width, from_height, width, height);
  InversionPicture result;
  const auto part =
      picture.pixels.narrow(0, placement.top, placement.height).narrow(1, placement.left, placement.width);
  result.image = placed_part(channels(part, 0, 3).mul_(2).sub_(1), placement, width, height, 0).contiguous();

  const bool padded = placement.inner_width < width || placement.inner_height < height;
  if (!mask && !is_transparent(picture) && !padded) return result;
  Tensor values = mask                      ? mask_weights(*mask, mask_name, mask_labels)
                  : is_transparent(picture) ? channels(picture.pixels, 3, 1)
                                            : at::ones({1, from_height, from_width});
  const auto [full_height, full_width] = picture.full_size.value_or(std::pair(from_height, from_width));
  if (mask && values.size(1) == full_height && values.size(2) == full_width) {
    placement = place(fit, full_width, full_height, width, height);  // of a picture that was reduced, too
  } else if (values.size(1) != from_height || values.size(2) != from_width) {
    run.notice(fmt::format("the mask ({}) is {}x{}, its picture {}x{}: the mask is resized", mask_name,
                           values.size(2), values.size(1), full_width, full_height));
    values = resized(values, from_height, from_width);
  }
  const int64_t columns = width / down_factor, rows = height / down_factor;
  if (padded) {  // the border's edge need not lie between two latents
    values = resized(placed(values, placement, width, height, 0), rows, columns);
  } else {
    values = placed(values, {placement.left, placement.top, placement.width, placement.height, columns, rows},
                    columns, rows, 0);
  }
  result.mask = values.squeeze(0).clamp(0, 1).contiguous();
  if (result.mask.max().item<float>() < 1.0F / 255) {
    const auto& where = mask ? mask_name : name;
    throw Error(
        ErrorKind::malformed,
        fmt::format("the mask hides the whole picture ({}): expected white where the person is", where),
        fit == Fit::crop && from_width * height != from_height * width
            ? "the picture is cropped to its centre; <fit> pad keeps all of it"
            : "white (or opaque) counts, black (or transparent) is ignored");
  }
  return result;
}

}  // namespace w2w
