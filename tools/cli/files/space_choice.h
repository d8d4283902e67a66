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

/// The space in `folder`, checked against a model that is loaded anyway.
Space open_space_of(TextToImage& model, const std::filesystem::path& folder);

/// What sampling and editing use: fewer are too coarse, many more entangle (docs/method.md, "The space").
constexpr int64_t reference_components = 1000;

/// `wanted` components of a default or preset, or all that are `available`, with a notice.
int64_t components_up_to(int64_t wanted, int64_t available);

}  // namespace w2w::cli
