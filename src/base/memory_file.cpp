#include "w2w/base/memory_file.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "w2w/base/error.h"

namespace w2w {
namespace {

[[noreturn]] void fail() {
  const auto kind = errno == EMFILE || errno == ENFILE ? ErrorKind::failure : ErrorKind::out_of_memory;
  throw Error(kind, fmt::format("cannot keep a file in memory: {}", std::strerror(errno)));
}

}  // namespace

MemoryFile::MemoryFile(std::string_view bytes) : file_(memfd_create("w2w", MFD_CLOEXEC)) {
  if (!file_.is_open()) fail();
  while (!bytes.empty()) {
    const ssize_t written = write(file_.number(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail();
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

std::filesystem::path MemoryFile::path() const { return fmt::format("/proc/self/fd/{}", file_.number()); }

}  // namespace w2w
