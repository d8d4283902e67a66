#include "w2w/space_choice.h"

#include "w2w/locate.h"
#include "w2w/sd/checkpoint.h"

namespace w2w::cli {

Targets model_layers(const SharedOptions& options) {
  return linear_layers(Checkpoint::open(locate_model(options.model)).part("unet"));
}

Space open_fitted_space(const SharedOptions& options) {
  const auto path = locate_space(options.space);
  auto space = Space::open(path);
  if (space.data().layout && !options.model) return space;
  const auto targets = attention_targets(model_layers(options));
  return Space::open(path, &targets);
}

}  // namespace w2w::cli
