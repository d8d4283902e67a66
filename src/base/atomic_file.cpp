#include "w2w/base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "w2w/base/error.h"

namespace w2w {
namespace {

/// mkstemp makes 0600 files; an output should have the mode any other program would give it.
mode_t default_mode() {
  static const mode_t mode = [] {  // once: the mask can only be read by changing it, for all threads
    const mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
  }();
  return mode;
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  const auto folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  temporary_ = (folder / ("." + path_.filename().string() + ".XXXXXX")).string();
  descriptor_ = mkstemp(temporary_.data());
  if (descriptor_ < 0) {
    temporary_.clear();
    fail("cannot write", errno);
  }
  fchmod(descriptor_, default_mode());
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void AtomicFile::write(const void* bytes, size_t size) {
  auto* at = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t written = ::write(descriptor_, at, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot write", errno);
    at += written;
    size -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  if (fsync(descriptor_) != 0) fail("cannot flush", errno);
  if (close(std::exchange(descriptor_, -1)) != 0) fail("cannot close", errno);
  if (rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot rename into", errno);
  temporary_.clear();
}

void AtomicFile::fail(const char* doing, int error_number) {
  throw Error(
      ErrorKind::failure,
      std::string(doing) + " file (" + path_.string() + "): " + std::strerror(error_number),
      error_number == ENOSPC || error_number == EDQUOT ? "free some space, or choose another -o" : "");
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace w2w
