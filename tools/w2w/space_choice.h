#pragma once
// Space and model of commands that need their shapes, but no model to run.

#include "w2w/lora/target.h"
#include "w2w/shared_options.h"
#include "w2w/space/space.h"

namespace w2w::cli {

/// Every linear layer of the model's UNet, by the names and shapes in its files: no weight is read.
Targets model_layers(const SharedOptions& options);

/// The space with its modules. A released folder does not name them: they are those of the model then. A
/// model that was named must be the space's.
Space open_fitted_space(const SharedOptions& options);

}  // namespace w2w::cli
