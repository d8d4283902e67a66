#include "cli/files/space_choice.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/files/locate.h"
#include "w2w/base/log.h"
#include "w2w/sd/checkpoint.h"

namespace w2w::cli {

Targets model_layers(const SharedOptions& options) {
  return linear_layers(open_checkpoint(options).part("unet"));
}

Space open_fitted_space(const SharedOptions& options) {
  const auto path = locate_space(options.space);
  auto space = Space::open(path);
  if (space.data().layout && !options.model) return space;
  const auto linears = model_layers(options);
  return Space::open(path, &linears);
}

Space open_space(const SharedOptions& options, bool coefficients_alone) {
  return coefficients_alone && !options.model ? Space::open(locate_space(options.space))
                                              : open_fitted_space(options);
}

Space open_space_of(TextToImage& model, const std::filesystem::path& folder) {
  return Space::open(folder, &model.linear_layers());
}

int64_t components_up_to(int64_t wanted, int64_t available) {
  if (available < wanted) notice(fmt::format("the space has {} components: all are used", available));
  return std::min(wanted, available);
}

}  // namespace w2w::cli
