#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "w2w/base/run.h"
#include "w2w/space/layout.h"

namespace w2w {

/// A factor of weight_dimensions.pt and its number of values.
struct FactorCount {
  std::string name;
  int64_t count = 0;
};

/// The table in its order. Error(malformed) when it cannot be read or understood.
std::vector<FactorCount> read_weight_dimensions(const std::filesystem::path& path);

/// Compares weight_dimensions.pt of the release with `layout`. Its counts, in their order, are those of the
/// factors or it was made for another model: Error(failure), naming the first that differs. Everything in it
/// follows from the UNet as well, so a table that cannot be read or understood is a warning, and so are names
/// that put the factors into another order.
void check_weight_dimensions(const std::filesystem::path& path, const Layout& layout, const Run& run);

}  // namespace w2w
