#pragma once
// A LoRA as a person of the space.

#include "cli/commands/identity_source.h"
#include "cli/terminal/reporter.h"
#include "w2w/space/space.h"

namespace w2w::cli {

struct ImportedLora {
  Identity identity;
  Json facts;  ///< for --json: how much lies outside the space
};

/// Finds the coefficients of `source`, a LoRA file or folder, and says in notices what the space does not
/// hold of it. `partial` leaves out what the file changes outside the space's matrices; otherwise that is an
/// Error(failure) saying how much it is. Errors of read_lora and project.
ImportedLora import_lora(const IdentitySource& source, const Space& space, int64_t components, bool partial,
                         const Progress& progress);

/// The person of `source`, imported with all components when it is a LoRA. Error(failure) when it does not
/// fit the space.
Identity coefficients_of(const IdentitySource& source, const Space& space, const Progress& progress);

}  // namespace w2w::cli
