#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "w2w/base/output_path.h"
#include "w2w/base/run.h"

namespace w2w {

/// A file that appears whole or not at all: bytes go to a temporary file beside the output, `commit` flushes
/// it to disk (fsync) and renames it. Destroyed without commit, nothing is left; what a killed process leaves
/// is removed by remove_leftovers. Every failure is Error(failure) naming the output, also when it exists by
/// the time of `commit` and may not be replaced.
class AtomicFile {
 public:
  explicit AtomicFile(OutputPath output);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* bytes, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();
  const std::filesystem::path& path() const { return output_.path; }

 private:
  OutputPath output_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

void write_file(const OutputPath& output, std::string_view bytes);

/// Writes all bytes of a file. Hears interrupts; failures of reading name `from`.
void write_bytes_of(const std::filesystem::path& from, AtomicFile& file, const Run& run = {});
/// A copy that appears whole or not at all.
void copy_whole(const std::filesystem::path& from, const OutputPath& output, const Run& run = {});
/// Gives a whole file another name; a copy of it where that is on another file system.
void move_whole(const std::filesystem::path& from, const OutputPath& output);

/// Whether `name` can be a file's in any folder: not empty, without a slash, not "." or "..".
bool is_file_name(std::string_view name);

/// Error(failure) when the file system has no names as long as that of `path`.
void check_file_name(const std::filesystem::path& path);

}  // namespace w2w
