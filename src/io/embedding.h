#pragma once
#include "w2w/io/tensor_file.h"

namespace w2w {

/// Whether a file holds a word of textual inversion as diffusers saves it: one tensor, of the width of a text
/// encoder, under the word's name.
bool is_embedding(const TensorMap& tensors);

}  // namespace w2w
