#include "w2w/base/work_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace w2w {

namespace fs = std::filesystem;

std::optional<WorkLock> WorkLock::try_hold(const fs::path& file) {
  const auto path = file.parent_path() / ("." + file.filename().string() + ".w2w-inwork");
  for (;;) {
    FileDescriptor descriptor(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666));
    if (!descriptor.is_open()) return WorkLock({}, {});  // whoever writes there says why
    if (flock(descriptor.number(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return {};
      return WorkLock(path, std::move(descriptor));
    }
    struct stat held {
    }, named{};
    const bool same = fstat(descriptor.number(), &held) == 0 && stat(path.c_str(), &named) == 0 &&
                      held.st_ino == named.st_ino && held.st_dev == named.st_dev;
    if (same) return WorkLock(path, std::move(descriptor));  // else its last holder took the name away
  }
}

WorkLock::~WorkLock() {
  if (descriptor_.is_open()) unlink(path_.c_str());
}

}  // namespace w2w
