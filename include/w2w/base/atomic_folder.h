#pragma once
#include <filesystem>

#include "w2w/base/output_path.h"
#include "w2w/base/run.h"

namespace w2w {

/// A folder that appears whole or not at all: its files are written into `temporary()`, a folder beside the
/// output, which `commit` renames. Destroyed without commit, nothing is left; what a killed process leaves is
/// removed by remove_leftovers. Failures are Error(failure) naming the output.
class AtomicFolder {
 public:
  explicit AtomicFolder(OutputPath output);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  const std::filesystem::path& temporary() const { return temporary_; }
  /// put_folder of what is on disk by then.
  void commit();

 private:
  OutputPath output_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

/// Gives the folder `made` the name of the output, in one step: in the place of an empty folder, or, where
/// the output may be replaced, of whatever is there, which is deleted. File systems that cannot exchange two
/// names take two steps: killed between them, the old one is put back by remove_leftovers.
void put_folder(const std::filesystem::path& made, const OutputPath& output);

/// Removes what killed processes left behind in a folder while they wrote their outputs there: temporary
/// files and folders older than a minute whose lock nobody holds. Where the file system has no locks nothing
/// is removed.
void remove_leftovers(const std::filesystem::path& folder, const Run& run = {});

}  // namespace w2w
