#pragma once
// An IDENTITY on the command line: a file or folder of coefficients, or a LoRA.

#include <optional>
#include <string>

#include "cli/options/shared_options.h"
#include "w2w/lora/factors.h"
#include "w2w/lora/target.h"
#include "w2w/space/identity.h"

namespace w2w::cli {

/// What is known of an identity before any model is loaded.
struct IdentitySource {
  std::string path;
  std::string stem;                      ///< its own name: what outputs made from it are called after
  std::optional<Identity> coefficients;  ///< otherwise it is a LoRA

  /// `stem` without the "_lora" that `sample` and `export` append.
  std::string person() const;
};

/// Error(not_found) when there is nothing at `path`; Error(malformed) for damaged coefficients. A LoRA is not
/// read yet.
IdentitySource open_identity(const std::string& path);

/// The LoRA at `path`, whose modules are among `layers`, those of the model of `options`. Errors of
/// read_lora; one about modules says how to name another model when none was given.
Lora read_identity_lora(const std::string& path, const Targets& layers, const SharedOptions& options);

/// What a LoRA's metadata say of the person (w2w.*), without coefficients.
Identity describe_lora(const std::string& path);

}  // namespace w2w::cli
