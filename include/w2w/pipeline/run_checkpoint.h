#pragma once
// The state of unfinished work on disk: safetensors with, as metadata, what the run was started with.

#include <filesystem>
#include <map>
#include <string>

#include "w2w/io/tensor_file.h"
#include "w2w/pipeline/text_to_image.h"

namespace w2w {

/// What must be the same for a run to go on, by name: options ("--lr"), space, model, pictures.
using RunDescription = std::map<std::string, std::string>;

/// Tells models apart by their UNet's first and last layer: fine-tuned ones differ there, and reading all
/// weights would take seconds.
std::string hash_of(const TextToImage& model);

/// `work` names the kind of work in the file and in messages: "an inversion".
void write_run_checkpoint(const std::filesystem::path& path, const std::string& work,
                          const TensorMap& tensors, const RunDescription& run);

/// The tensors of a checkpoint, copied, so that the file may be replaced while the run goes on.
class RunCheckpoint {
 public:
  /// Error(not_found) without the file; Error(malformed) when it is not a checkpoint of this kind of work;
  /// Error(failure), naming what differs, when it is one of another run.
  RunCheckpoint(const std::filesystem::path& path, const std::string& work, const RunDescription& run);

  /// Error(malformed) unless the tensor is there, of this type and of this many dimensions.
  at::Tensor take(const std::string& name, at::ScalarType dtype, int64_t dimensions = 1) const;

 private:
  std::filesystem::path path_;
  TensorMap tensors_;
};

}  // namespace w2w
