#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "w2w/base/run.h"

namespace w2w::cli {

/// One person to invert.
struct InversionJob {
  std::string name;  ///< of the outputs
  std::vector<std::filesystem::path> images;
  std::vector<std::optional<std::filesystem::path>> masks;  ///< as many as images
};

/// A table (manifest.h) with the columns name, image and mask; a name in several lines is one person with
/// several pictures.
std::vector<InversionJob> read_inversion_jobs(const std::filesystem::path& path, const Run& run);

}  // namespace w2w::cli
