#include "w2w/base/atomic_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "w2w/base/error.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const char* doing, const fs::path& path, const std::string& reason) {
  throw Error(ErrorKind::failure, std::string(doing) + " folder (" + path.string() + "): " + reason);
}

/// A new empty folder beside `path`, with the mode any other program would give it.
fs::path make_beside(const fs::path& path) {
  const auto parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  auto name = (parent / ("." + path.filename().string() + ".XXXXXX")).string();
  if (!mkdtemp(name.data())) fail("cannot make", path, std::strerror(errno));
  const mode_t mask = umask(0);
  umask(mask);
  chmod(name.c_str(), 0777 & ~mask);
  return name;
}

}  // namespace

AtomicFolder::AtomicFolder(fs::path path) : path_(std::move(path)) {
  if (!path_.has_filename()) path_ = path_.parent_path();  // "folder/"
  temporary_ = make_beside(path_);
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

void AtomicFolder::commit() {
  fs::path old;
  std::error_code error;
  if (fs::exists(fs::symlink_status(path_, error))) {
    old = make_beside(path_);
    fs::rename(path_, old / "old", error);
    if (error) fail("cannot replace", path_, error.message());
  }
  fs::rename(temporary_, path_, error);
  if (error) {
    const auto reason = error.message();
    if (!old.empty()) fs::rename(old / "old", path_, error);
    fail("cannot rename into", path_, reason);
  }
  temporary_.clear();
  if (!old.empty()) fs::remove_all(old, error);
}

}  // namespace w2w
