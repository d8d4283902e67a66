#pragma once
// The space and the engine of a command.

#include <optional>

#include "cli/options/model_options.h"
#include "w2w/base/run.h"
#include "w2w/engine/engine.h"
#include "w2w/lora/target.h"
#include "w2w/space/space.h"

namespace w2w::cli {

/// Every linear layer of the model's UNet, by the names and shapes in its files: no weight is read.
Targets model_layers(const ModelOptions& options, const Run& run);

/// The space, bound to its modules. A released folder does not name them: they are those of the model then. A
/// model that was named must be the space's.
Space open_bound_space(const ModelOptions& options, const Run& run);

/// The same; for coefficients alone, which need no names of layers, only with a model if one is given.
Space open_space(const ModelOptions& options, bool coefficients_alone, const Run& run);

/// The model with `space`, or without any, at the device and precision of the options.
Engine open_engine(const ModelOptions& options, std::optional<Space> space, const Run& run);

}  // namespace w2w::cli
