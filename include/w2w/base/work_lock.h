#pragma once
#include <filesystem>
#include <optional>

#include "w2w/base/file_descriptor.h"

namespace w2w {

/// Says to other processes that this one is at work on a file that is not there yet. It is a locked file
/// beside it, ".NAME.w2w-inwork", which goes with its holder; of a killed one it stays, unlocked, until
/// somebody works on that file or writes into that folder again.
class WorkLock {
 public:
  /// Nothing while another holds it. Where the file system knows no locks, everybody gets one.
  static std::optional<WorkLock> try_hold(const std::filesystem::path& file);

  WorkLock(WorkLock&&) = default;
  WorkLock& operator=(WorkLock&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~WorkLock();

 private:
  WorkLock(std::filesystem::path path, FileDescriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  std::filesystem::path path_;
  FileDescriptor descriptor_;
};

}  // namespace w2w
