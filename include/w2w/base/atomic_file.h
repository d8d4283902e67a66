#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace w2w {

/// A file that appears whole or not at all: bytes go to a temporary file beside `path`, `commit` flushes it
/// to disk (fsync) and renames it. Destroyed without commit, nothing is left. Every failure is Error(failure)
/// naming `path`.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* bytes, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();
  const std::filesystem::path& path() const { return path_; }

 private:
  [[noreturn]] void fail(const char* doing, int error_number);

  std::filesystem::path path_;
  std::string temporary_;
  int descriptor_ = -1;
};

void write_file(const std::filesystem::path& path, std::string_view bytes);

}  // namespace w2w
