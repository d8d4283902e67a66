#pragma once
#include <filesystem>

namespace w2w {

/// A folder that appears whole or not at all: its files are written into `temporary()`, a folder beside
/// `path`, which `commit` renames. Destroyed without commit, nothing is left. Failures are Error(failure)
/// naming `path`.
class AtomicFolder {
 public:
  explicit AtomicFolder(std::filesystem::path path);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  const std::filesystem::path& temporary() const { return temporary_; }
  /// Takes the place of whatever was at `path`, which is deleted.
  void commit();

 private:
  std::filesystem::path path_, temporary_;
};

}  // namespace w2w
