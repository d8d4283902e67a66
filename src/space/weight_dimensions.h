#pragma once
#include <filesystem>

#include "w2w/space/layout.h"

namespace w2w {

/// Compares weight_dimensions.pt of the release with `layout`. Its counts, in their order, are those of the
/// factors or it was made for another model: Error(failure), naming the first that differs. Everything in it
/// follows from the UNet as well, so a table that cannot be read or understood is a warning, and so are names
/// that put the factors into another order.
void check_weight_dimensions(const std::filesystem::path& path, const Layout& layout);

}  // namespace w2w
