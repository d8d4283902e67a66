#pragma once

namespace w2w::cli {

/// Options every command has.
struct GeneralOptions {
  bool json = false;
  bool json_lines = false;
  bool quiet = false;    ///< no notices, no progress: warnings and errors only
  bool verbose = false;  ///< debug messages too
  bool no_colour = false;
  int threads = 0;  ///< 0: one per core
};

}  // namespace w2w::cli
