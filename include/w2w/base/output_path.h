#pragma once
#include <concepts>
#include <filesystem>
#include <utility>

namespace w2w {

/// Where a file or folder is to appear, and whether it may take the place of what is there by then. There is
/// no way back into a path of its own accord: what may be replaced would be forgotten.
struct OutputPath {
  OutputPath() = default;
  template <typename Path>
  requires std::convertible_to<Path, std::filesystem::path> OutputPath(Path&& where, bool may_replace = true)
      : path(std::forward<Path>(where)), replace(may_replace) {}

  std::filesystem::path path;
  bool replace = true;
};

}  // namespace w2w
