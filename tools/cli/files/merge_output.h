#pragma once
#include <functional>
#include <optional>
#include <string>

#include "cli/options/shared_options.h"
#include "cli/terminal/reporter.h"
#include "w2w/lora/factors.h"
#include "w2w/space/identity.h"

namespace w2w::cli {

/// `w2w export --merge`: the model of `options` with the person that `lora` gives, as -o says: a single file,
/// or a diffusers folder (NAME_model without -o); in `dtype`, or the model's own. Refuses an output that
/// exists, or model names that a single file does not have, before `lora` is called.
void write_merged(const SharedOptions& options, const std::optional<std::string>& dtype,
                  const std::string& name, const std::function<Lora()>& lora, const Identity& identity,
                  Reporter& reporter);

}  // namespace w2w::cli
