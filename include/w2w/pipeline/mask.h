#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "w2w/io/image.h"

namespace w2w {

/// Whether some of a picture is transparent.
bool is_transparent(const Image& image);

/// How much each pixel of a mask counts, f32 [1, H, W] in 0..1. `name` stands in errors.
///
/// Without `labels` white counts: the alpha where some of it is transparent, else the luminance (ITU-R
/// BT.601, as the "L" of picture libraries); a mask of two values counts as 0 and 1, whatever they are.
/// Error(malformed) for a map of classes, as face parsers write them. With `labels` the mask is such a map,
/// in grey levels or palette indices, and these classes count. Error(malformed) when it is no map or has none
/// of them.
at::Tensor mask_weights(const Image& mask, const std::string& name, const std::vector<int64_t>& labels);

}  // namespace w2w
