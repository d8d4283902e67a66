#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace w2w::cli {

/// One person to invert.
struct InversionJob {
  std::string name;  ///< of the outputs
  std::vector<std::filesystem::path> images;
  std::vector<std::optional<std::filesystem::path>> masks;  ///< as many as images
};

/// A table with the columns image and, if wanted, name and mask; a name in several lines is one person with
/// several pictures, one left out is the picture's. Relative paths start at the manifest's folder.
/// Error(not_found), Error(malformed) naming the line; every picture must exist.
std::vector<InversionJob> read_manifest(const std::filesystem::path& path);

}  // namespace w2w::cli
