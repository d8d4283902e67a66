#pragma once
#include <map>
#include <memory>
#include <string>

#include "w2w/io/mapped_file.h"

namespace w2w {

/// The entries of a zip archive without compression, as ranges of the mapped file. Checksums are not
/// verified: that would read every byte of files that are otherwise mapped only.
class ZipFile {
 public:
  struct Entry {
    size_t offset, size;
  };

  /// Error(malformed) when the directory is damaged, an entry is compressed, encrypted, repeated or out of
  /// the file.
  explicit ZipFile(const std::shared_ptr<const MappedFile>& file);

  const std::map<std::string, Entry>& entries() const { return entries_; }
  /// The folder of the first entry, "archive/"; empty when it is not in one.
  const std::string& first_folder() const { return first_folder_; }

 private:
  std::map<std::string, Entry> entries_;
  std::string first_folder_;
};

}  // namespace w2w
