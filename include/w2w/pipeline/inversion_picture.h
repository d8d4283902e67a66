#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "w2w/base/run.h"
#include "w2w/io/image.h"

namespace w2w {

/// How a picture of any aspect ratio becomes one of the model's size.
enum class Fit {
  crop,     ///< the largest centred part of that aspect ratio, or one around the mask
  pad,      ///< all of it, with grey borders that do not count
  stretch,  ///< all of it, distorted
};

/// "crop", "pad", "stretch".
const std::vector<std::string>& fit_names();
Fit parse_fit(const std::string& name);

/// A picture of the person to invert.
struct InversionPicture {
  at::Tensor image;  ///< f32 [3, H, W] in -1..1
  at::Tensor mask;   ///< f32 [h, w] in 0..1 over the latents: how much each counts; undefined: all do
};

/// Fits `picture` and its mask alike to `width` x `height` pixels, a latent being `down_factor` pixels wide.
/// Both are cropped first and then resized once each, bilinear with antialiasing, the mask straight to the
/// latents. What of a mask counts says mask_weights, with `mask_labels`; without a mask the picture's own
/// alpha does. Fit::crop crops to what counts and a fifth of it as margin at each side; what is cut is told
/// in a notice. A mask of another size than its picture is resized to it, with a notice. `name` and
/// `mask_name` stand in errors: Error(malformed) for a mask that leaves nothing to look at.
InversionPicture fit_picture(const Image& picture, const std::string& name, const std::optional<Image>& mask,
                             const std::string& mask_name, Fit fit, int64_t width, int64_t height,
                             int64_t down_factor, const std::vector<int64_t>& mask_labels = {},
                             const Run& run = {});

}  // namespace w2w
