#pragma once
#include "cli/options/model_options.h"
#include "w2w/base/run.h"
#include "w2w/text/clip_tokenizer.h"

namespace w2w::cli {

/// The tokenizer of --tokenizer, or of the model; CLIP's own, which is built in, for single-file checkpoints.
/// Error(not_found).
ClipTokenizer choose_tokenizer(const ModelOptions& options, const Run& run);

}  // namespace w2w::cli
