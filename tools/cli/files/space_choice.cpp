#include "cli/files/space_choice.h"

#include "cli/files/locate.h"
#include "w2w/device/device.h"
#include "w2w/sd/checkpoint.h"

namespace w2w::cli {

Targets model_layers(const ModelOptions& options, const Run& run) {
  return linear_layers(open_checkpoint(options, run).part("unet"));
}

Space open_bound_space(const ModelOptions& options, const Run& run) {
  auto space = Space::open(locate_space(options.space, run), nullptr, run);
  if (!space.data().layout || options.model) space.bind(model_layers(options, run), run);
  return space;
}

Space open_space(const ModelOptions& options, bool coefficients_alone, const Run& run) {
  return coefficients_alone && !options.model ? Space::open(locate_space(options.space, run), nullptr, run)
                                              : open_bound_space(options, run);
}

Engine open_engine(const ModelOptions& options, std::optional<Space> space, const Run& run) {
  const auto device = parse_device(options.device);
  const auto dtype = parse_dtype(options.dtype, device);
  return {open_checkpoint(options, run), std::move(space), at::TensorOptions(dtype).device(device), run};
}

}  // namespace w2w::cli
