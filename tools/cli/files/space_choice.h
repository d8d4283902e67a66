#pragma once
// The space of a command, with and without its model.

#include <filesystem>
#include <string>
#include <vector>

#include "cli/options/shared_options.h"
#include "w2w/lora/target.h"
#include "w2w/pipeline/text_to_image.h"
#include "w2w/space/space.h"

namespace w2w::cli {

/// Every linear layer of the model's UNet, by the names and shapes in its files: no weight is read.
Targets model_layers(const SharedOptions& options);

/// The space with its modules. A released folder does not name them: they are those of the model then. A
/// model that was named must be the space's.
Space open_fitted_space(const SharedOptions& options);

/// The same; for coefficients alone, which need no names of layers, only with a model if one is given.
Space open_space(const SharedOptions& options, bool coefficients_alone);

/// The space in `folder`, checked against a model that is loaded anyway.
Space open_space_of(TextToImage& model, const std::filesystem::path& folder);

/// What sampling and editing use: fewer are too coarse, many more entangle (reference.md).
constexpr int64_t reference_components = 1000;

/// `wanted` components of a default or preset, or all that are `available`, with a notice.
int64_t components_up_to(int64_t wanted, int64_t available);

}  // namespace w2w::cli
