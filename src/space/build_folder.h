#pragma once
#include <chrono>
#include <filesystem>
#include <string>

#include "w2w/io/tensor_file.h"

namespace w2w {

/// What an unfinished build has done so far: OUTPUT.building beside the output, with state.safetensors for
/// the stage it is in and whatever matrices it fills piece by piece. The state is bound to the inputs by
/// `key`.
class BuildFolder {
 public:
  /// Makes the folder, or goes on with the one there is. `anew` throws away the state of another key, which
  /// is an Error(failure) otherwise; so is a build that is running there now.
  BuildFolder(const std::filesystem::path& output, std::string key, bool anew, double save_every_seconds);
  ~BuildFolder();
  BuildFolder(const BuildFolder&) = delete;
  BuildFolder& operator=(const BuildFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const std::string& stage() const { return stage_; }       ///< of the state; "" at the beginning
  int64_t position() const { return position_; }            ///< how far that stage had come
  const at::Tensor& tensor(const std::string& name) const;  ///< mapped: clone what is to be changed

  /// Whether it is time to save: a minute or so after the last time, less often when saving takes long, and
  /// at once after an interruption.
  bool due() const;
  void save(const std::string& stage, int64_t position, const TensorMap& tensors);
  const std::string& saved_stage() const { return saved_stage_; }  ///< of the state on disk now

  /// Nothing is left of the build: it came to its end, or cannot with these inputs.
  void discard();

 private:
  using Clock = std::chrono::steady_clock;
  void lock();
  void read_state(bool anew);

  std::filesystem::path output_, path_;
  std::string key_, stage_, saved_stage_;
  int64_t position_ = 0;
  TensorMap tensors_;
  Clock::duration interval_;
  Clock::time_point saved_ = Clock::now();
  int lock_ = -1;
};

}  // namespace w2w
