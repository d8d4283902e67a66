#pragma once
#include <c10/core/ScalarType.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "w2w/base/output_path.h"
#include "w2w/base/run.h"
#include "w2w/space/space.h"

namespace w2w {

struct ConvertOptions {
  OutputPath output;                     ///< the compact space
  std::optional<int64_t> components;     ///< the first ones; none: all
  std::optional<c10::ScalarType> dtype;  ///< of the components; none: as they are
  std::string base_model;
  SpaceDefaults defaults;
};

/// Writes `space`, released or compact, in the compact form, with its labels as labels.csv, the names of its
/// training models from them where it has none itself, and directions that still fit. Components go from file
/// to file in blocks of a few hundred megabytes. Error(usage) for more components than there are.
void convert_space(const Space& space, const ConvertOptions& options, const Run& run = {});

}  // namespace w2w
