#include "cli/files/tokenizer_choice.h"

#include "cli/files/locate.h"

namespace w2w::cli {

ClipTokenizer choose_tokenizer(const ModelOptions& options, const Run& run) {
  namespace fs = std::filesystem;
  if (options.tokenizer) return ClipTokenizer::from_folder(*options.tokenizer);
  const auto model = locate_model(options.model, run);
  if (!fs::is_directory(model)) return ClipTokenizer::builtin();
  // A folder may be the tokenizer itself.
  return ClipTokenizer::from_folder(fs::exists(model / "vocab.json") ? model : model / "tokenizer");
}

}  // namespace w2w::cli
