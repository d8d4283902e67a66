#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "w2w/base/error.h"
#include "w2w/base/run.h"

namespace w2w {

/// One thing that was looked at.
struct SpaceCheck {
  std::string name;
  bool ok = false;
  std::string found;                      ///< a figure with its bound, or what is wrong
  ErrorKind kind = ErrorKind::malformed;  ///< what it means if it is not ok: a file may also be missing
};

/// Whether the space in `folder` is whole: its files and hash, finite values, orthonormal components,
/// statistics and explained variance against the projections, training models that come back from their
/// weights, directions and labels that fit. Bounds follow the components' dtype. What is wrong is in the
/// result; only Error(not_found) is thrown.
std::vector<SpaceCheck> verify_space(const std::filesystem::path& folder, const Run& run = {});

/// The part of `std` [P] that moves, as the builder sees it: bool [P].
at::Tensor moving_parameters(const at::Tensor& std);

}  // namespace w2w
