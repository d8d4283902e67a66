#include "w2w/pipeline/mask.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/bincount.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "w2w/base/error.h"

namespace w2w {
namespace {

using at::Tensor;

/// Face parsers know 11 to 59 classes; a mask whose brightest value is below this is no mask of white.
constexpr int64_t max_classes = 64;

bool is_grey(const Tensor& pixels) {
  return pixels.select(2, 0).equal(pixels.select(2, 1)) && pixels.select(2, 1).equal(pixels.select(2, 2));
}

/// The values that occur in u8 [H, W], ascending.
std::vector<int64_t> values_in(const Tensor& map) {
  const auto counts = at::bincount(map.flatten(), {}, 256);
  std::vector<int64_t> values;
  for (int64_t i = 0; i < 256; ++i) {
    if (counts[i].item<int64_t>() > 0) values.push_back(i);
  }
  return values;
}

Tensor luminance(const Tensor& pixels) {
  const auto rgb = pixels.to(at::kFloat);
  return (0.299 * rgb.select(2, 0) + 0.587 * rgb.select(2, 1) + 0.114 * rgb.select(2, 2))
      .round()
      .to(at::kByte);
}

Tensor chosen_classes(const Image& mask, const std::string& name, const std::vector<int64_t>& labels) {
  const bool is_map = mask.indices.defined() || is_grey(mask.pixels);
  if (!is_map) {
    throw Error(
        ErrorKind::malformed,
        fmt::format("expected a class map, grey or with a palette, found a colour picture ({})", name),
        "save the face parser's labels themselves, one value for each class");
  }
  const auto map = mask.indices.defined() ? mask.indices : mask.pixels.select(2, 0);
  auto chosen = at::zeros(map.sizes(), at::kBool);
  for (const int64_t label : labels) chosen.logical_or_(map.eq(label));
  if (chosen.any().item<bool>()) return chosen.to(at::kFloat);
  throw Error(ErrorKind::malformed,
              fmt::format("the mask contains none of the classes {} ({}): found {}", fmt::join(labels, ", "),
                          name, fmt::join(values_in(map), ", ")));
}

[[noreturn]] void refuse_map(const std::string& name, const std::vector<int64_t>& classes) {
  throw Error(
      ErrorKind::malformed,
      fmt::format("the mask is a class map of {} classes, {} to {} ({}): expected white where the person is",
                  classes.size(), classes.front(), classes.back(), name),
      "select the classes to use with <mask-labels>, such as 1-13,17");
}

}  // namespace

bool is_transparent(const Image& image) {
  return image.pixels.size(2) == 4 && image.pixels.select(2, 3).min().item<uint8_t>() < 255;
}

Tensor mask_weights(const Image& mask, const std::string& name, const std::vector<int64_t>& labels) {
  if (!labels.empty()) return chosen_classes(mask, name, labels).unsqueeze(0);
  const bool has_alpha = is_transparent(mask);
  const auto values = has_alpha ? mask.pixels.select(2, 3) : luminance(mask.pixels);
  const auto found = values_in(values);
  if (found.size() == 2) return values.eq(found.back()).to(at::kFloat).unsqueeze(0);
  if (found == std::vector<int64_t>{1}) return values.to(at::kFloat).unsqueeze(0);  // of 0 and 1, all of it
  const bool may_be_map = !has_alpha && found.size() > 2;
  if (may_be_map && found.back() < max_classes) refuse_map(name, found);
  if (may_be_map && mask.indices.defined() && !is_grey(mask.pixels))
    refuse_map(name, values_in(mask.indices));
  return (values.to(at::kFloat) / 255).unsqueeze(0);
}

}  // namespace w2w
