#include "w2w/base/atomic_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/temporary.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

/// Without a slash at its end.
OutputPath plain(OutputPath output) {
  if (!output.path.has_filename()) output.path = output.path.parent_path();
  return output;
}

[[noreturn]] void fail_putting(const fs::path& path, int error) {
  fail_writing("cannot rename into folder", path, error);
}

void discard(const fs::path& path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

/// First the old one out of the way, then the new one into its place.
void replace_in_two_steps(const fs::path& made, const fs::path& path) {
  const auto aside = make_folder_for_old(path);
  const auto old = aside.path / path.filename();
  int error = rename(path.c_str(), old.c_str()) == 0 ? 0 : errno;
  if (error == 0 && rename(made.c_str(), path.c_str()) != 0) {
    error = errno;
    rename(old.c_str(), path.c_str());
  }
  if (error == 0) discard(aside.path);
  rmdir(aside.path.c_str());
  close(aside.descriptor);
  if (error != 0) fail_putting(path, error);
}

}  // namespace

AtomicFolder::AtomicFolder(OutputPath output) : output_(plain(std::move(output))) {
  auto temporary = make_temporary_folder(output_.path);
  temporary_ = std::move(temporary.path);
  descriptor_ = temporary.descriptor;
}

AtomicFolder::~AtomicFolder() {
  if (!temporary_.empty()) discard(temporary_);
  if (descriptor_ >= 0) close(descriptor_);
}

void AtomicFolder::commit() {
  sync_tree(temporary_);
  put_folder(temporary_, output_);
  temporary_.clear();
}

void put_folder(const fs::path& made, const OutputPath& given) {
  const auto [path, replace] = plain(given);
  if (rename(made.c_str(), path.c_str()) != 0) {
    const int error = errno;  // of something there that is no empty folder:
    if (error != EEXIST && error != ENOTEMPTY && error != ENOTDIR) fail_putting(path, error);
    if (!replace) fail_existing(path);
    if (renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) {
      discard(made);  // the old one by now
    } else if (is_unknown_flag(errno)) {
      replace_in_two_steps(made, path);
    } else {
      fail_putting(path, errno);
    }
  }
  sync_parent(path);
}

}  // namespace w2w
