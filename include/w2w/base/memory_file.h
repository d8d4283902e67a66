#pragma once
#include <filesystem>
#include <string_view>

#include "w2w/base/file_descriptor.h"

namespace w2w {

/// A file that lies in memory and has no name, for readers that take a path (memfd_create(2)).
class MemoryFile {
 public:
  /// Error(out_of_memory) when they do not fit.
  explicit MemoryFile(std::string_view bytes);

  /// Valid in this process, as long as this object lives.
  std::filesystem::path path() const;

 private:
  FileDescriptor file_;
};

}  // namespace w2w
