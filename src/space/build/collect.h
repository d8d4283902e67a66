#pragma once
#include "build_folder.h"
#include "w2w/space/build/builder.h"

namespace w2w {

/// The training models of a build, one row each.
struct ModelMatrix {
  at::Tensor values;  ///< [n, P], a mapped file
  std::vector<std::string> names;
  Layout layout;
};

/// Reads all sources into one matrix in `folder`, or maps the one matrix that they are. What the first source
/// changes is what all have to change. Errors name the model: Error(failure) for other modules or sizes, for
/// two models of one name, for fewer than two models; those of read_lora.
ModelMatrix collect_models(const std::vector<ModelSource>& sources, const BuildOptions& options,
                           BuildFolder& folder, const Run& run);

/// The file in `folder` that a collected matrix is in.
constexpr const char* collected_file = "weights.safetensors";

}  // namespace w2w
