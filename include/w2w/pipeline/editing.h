#pragma once
// Edited people in pictures that keep their layout: delayed injection (Dravid et al. 2024, section 3.2).

#include <vector>

#include "w2w/pipeline/text_to_image.h"

namespace w2w {

struct EditingOptions {
  /// T, a timestep: while t > T the original person is drawn, from t <= T on the edited one. 1000 edits from
  /// the first step; lower values keep more of the layout and edit less.
  double inject_at = 800;

  /// Error(usage) unless 0 <= T <= 1000.
  void check() const;
};

/// One picture of the original person and one of each edit, u8 [H, W, 3], all from the same noise.
struct EditedPictures {
  at::Tensor original;
  std::vector<at::Tensor> edited;
};

/// The steps above T are the same for all and run once, so that N edits cost the passes above T and N + 1
/// times those from T on. Reports "editing" over all of them. Leaves `model` set to the original person.
EditedPictures draw_edits(TextToImage& model, const Lora& original, const std::vector<Lora>& edits,
                          const TextToImageOptions& picture, const EditingOptions& options,
                          const Run& run = {});

}  // namespace w2w
