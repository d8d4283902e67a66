#pragma once
#include <string>
#include <vector>

#include "cli/options/model_options.h"
#include "w2w/base/run.h"

namespace w2w::cli {

/// One line of `w2w doctor`; `found` is a figure, a place, or what went wrong.
struct HealthCheck {
  std::string name;
  bool ok = true;
  std::string found;
  bool absent = false;  ///< a file that need not be there, and is not
};

/// Machine, libraries, model and space, then known answers. A check that throws is wrong and tells why.
std::vector<HealthCheck> health_checks(const ModelOptions& options, const Run& run);

}  // namespace w2w::cli
