#pragma once
// The state of unfinished work on disk: safetensors with, as metadata, what the run was started with.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "w2w/base/sha256.h"
#include "w2w/io/image.h"
#include "w2w/io/tensor_file.h"
#include "w2w/pipeline/text_to_image.h"

namespace w2w {

/// What must be the same for a run to go on, by name: settings ("lr"), space, model, pictures.
using RunDescription = std::map<std::string, std::string>;

/// Tells models apart by their UNet's first and last layer: fine-tuned ones differ there, and reading all
/// weights would take seconds.
std::string hash_of(const TextToImage& model);

/// Tells runs on other pictures apart: SHA-256 over the pictures as decoded, before anything is computed of
/// them, so that a run goes on with other threads, on another processor or device.
class PictureHash {
 public:
  void add(const Image& picture);
  /// The prompt of the picture added last, for example.
  void add(const std::string& text);
  /// The object must not be used afterwards.
  std::string hex() { return hash_.hex(); }

 private:
  Sha256 hash_;
};

/// `work` names the kind of work in the file and in messages: "an inversion".
void write_run_checkpoint(const std::filesystem::path& path, const std::string& work,
                          const TensorMap& tensors, const RunDescription& run);

/// What the run of this checkpoint was started with; empty where there is no such file or setting, or where
/// the file cannot be read.
std::string recorded_setting(const std::filesystem::path& checkpoint, const std::string& name);

/// The tensors of a checkpoint, copied, so that the file may be replaced while the run goes on.
class RunCheckpoint {
 public:
  /// Error(not_found) without the file; Error(malformed) when it is not a checkpoint of this kind of work;
  /// Error(failure) when it is one of an earlier version, or, naming what differs, of another run.
  RunCheckpoint(const std::filesystem::path& path, const std::string& work, const RunDescription& run);

  /// Error(malformed) unless the tensor is there, of this type and shape (-1: any length) and finite.
  at::Tensor take(const std::string& name, at::ScalarType dtype, at::IntArrayRef shape) const;
  /// A Generator::state.
  at::Tensor take_generator(const std::string& name) const;
  /// Numbers from 0 to count - 1.
  std::vector<int64_t> take_indices(const std::string& name, int64_t count) const;

 private:
  [[noreturn]] void fail(const std::string& what) const;

  std::filesystem::path path_;
  TensorMap tensors_;
};

}  // namespace w2w
