#pragma once
#include <chrono>
#include <filesystem>
#include <string>

#include "w2w/base/file_descriptor.h"
#include "w2w/base/run.h"
#include "w2w/io/tensor_file.h"

namespace w2w {

/// The stages of a build, in their order; of the Gram matrix and the Krylov basis one build has one.
namespace build_stage {
constexpr const char *collect = "collect", *gram = "gram", *krylov = "krylov", *components = "components";
}

/// What an unfinished build has done so far: OUTPUT.building beside the output, with state.safetensors for
/// the stage it is in and whatever matrices it fills piece by piece. The state is bound to the inputs by
/// `key`.
class BuildFolder {
 public:
  /// Makes the folder, or goes on with the one there is. `anew` throws away the state of another key, which
  /// is an Error(failure) otherwise; so is a build that is running there now.
  BuildFolder(const std::filesystem::path& output, std::string key, bool anew, double save_every_seconds,
              const Run& run);

  const std::filesystem::path& path() const { return path_; }
  const std::string& stage() const { return stage_; }  ///< of the state; "" at the beginning
  /// How far that stage had come. Error(malformed) when that is more than all of it.
  int64_t position(int64_t all) const;
  /// Mapped: clone what is to be changed. Error(malformed) unless it is of this type and shape (-1: any) and
  /// finite.
  const at::Tensor& tensor(const std::string& name, c10::ScalarType dtype, at::IntArrayRef shape) const;
  /// Error(malformed): the state is not what this build can have left.
  [[noreturn]] void refuse_state(const std::string& what) const;
  /// Whether the state was refused: then it is not for the build to throw it away.
  bool refused() const { return refused_; }

  /// Whether it is time to save: a minute or so after the last time, less often when saving takes long, and
  /// at once after an interruption; with 0 seconds always.
  bool due() const;
  void save(const std::string& stage, int64_t position, const TensorMap& tensors);
  const std::string& saved_stage() const { return saved_stage_; }  ///< of the state on disk now

  /// Nothing is left of the build: it came to its end, or cannot with these inputs.
  void discard();

 private:
  using Clock = std::chrono::steady_clock;
  void lock();
  void read_state(bool anew);

  const Run& run_;
  std::filesystem::path output_, path_;
  std::string key_, stage_, saved_stage_;
  int64_t position_ = 0;
  TensorMap tensors_;
  Clock::duration interval_;
  Clock::time_point saved_ = Clock::now();
  FileDescriptor lock_;
  mutable bool refused_ = false;
};

}  // namespace w2w
