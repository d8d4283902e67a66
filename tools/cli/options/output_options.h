#pragma once
// Where results go.

#include <CLI/App.hpp>
#include <optional>
#include <string>

#include "w2w/base/output_path.h"

namespace w2w::cli {

/// What becomes of outputs that exist.
enum class Existing {
  refuse,   ///< an error
  replace,  ///< --force
  keep,     ///< --skip-existing, and resumed runs: the writer leaves what exists
  number,   ///< --number: new ones get the next free number
};

struct OutputOptions {
  std::optional<std::string> output;
  bool force = false, skip_existing = false, number = false;
  bool no_metadata = false;

  /// Error(usage) for two of --force, --skip-existing and --number.
  Existing existing() const;
  /// Whether --skip-existing leaves this output as it is.
  bool leaves(const OutputPath& output) const;
};

/// A file or folder to be written: "-" is none.
CLI::Option* add_output_path(CLI::App& parser, const std::string& names, std::optional<std::string>& target,
                             const std::string& value_name, const std::string& help);

/// `options` must live as long as `parser` is used.
void add_output_options(CLI::App& parser, OutputOptions& options);

}  // namespace w2w::cli
