#include "base/temporary.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>

#include "w2w/base/atomic_file.h"
#include "w2w/base/error.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

size_t longest_name(const fs::path& folder) {
  const long most = pathconf(folder.c_str(), _PC_NAME_MAX);
  return most > 0 ? static_cast<size_t>(most) : NAME_MAX;
}

/// The first `most` bytes of a name, not ending inside a UTF-8 character.
std::string cut(std::string name, size_t most) {
  if (name.size() <= most) return name;
  while (most > 0 && (static_cast<unsigned char>(name[most]) & 0xC0) == 0x80) --most;
  name.resize(most);
  return name;
}

std::string six_characters() {
  static const std::string all = "abcdefghijklmnopqrstuvwxyz0123456789";
  static thread_local std::random_device draw;
  std::string text;
  for (int i = 0; i < 6; ++i) text += all[draw() % all.size()];
  return text;
}

/// `make` makes what has no name yet and opens it, or returns -1.
Temporary make_beside(const fs::path& output, const std::string& mark, const char* doing,
                      const std::function<int(const char*)>& make) {
  check_file_name(output);
  const auto folder = folder_of(output);
  const auto ending = ".w2w-" + mark;
  const size_t most = longest_name(folder) - 1 - ending.size() - 6;
  const auto start = "." + cut(output.filename().string(), most) + ending;
  while (true) {
    Temporary temporary{folder / (start + six_characters())};
    temporary.descriptor = make(temporary.path.c_str());
    if (temporary.descriptor < 0 && errno == EEXIST) continue;
    if (temporary.descriptor < 0) fail_writing(doing, output, errno);
    flock(temporary.descriptor, LOCK_EX | LOCK_NB);  // where there are no locks, leftovers are not known
    return temporary;
  }
}

Temporary make_folder_beside(const fs::path& output, const std::string& mark) {
  return make_beside(output, mark, "cannot make folder", [](const char* path) {
    if (mkdir(path, 0777) != 0) return -1;
    const int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) rmdir(path);
    return descriptor;
  });
}

/// For a name that nothing has; otherwise EEXIST.
int rename_onto_nothing(const char* from, const char* to) {
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (!is_unknown_flag(errno)) return errno;
  if (link(from, to) == 0) {
    unlink(from);
    return 0;
  }
  if (errno == EEXIST) return EEXIST;
  struct stat there {};  // no links either: what is made in this very moment is not seen
  if (lstat(to, &there) == 0) return EEXIST;
  return rename(from, to) == 0 ? 0 : errno;
}

void sync(const fs::path& path) {  // of folders some file systems refuse it
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) return;
  const int error = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  if (error == EIO || error == ENOSPC || error == EDQUOT) fail_writing("cannot flush file", path, error);
}

}  // namespace

bool is_file_name(std::string_view name) {
  using namespace std::string_view_literals;
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of("/\0"sv) == std::string_view::npos;
}

void check_file_name(const fs::path& path) {
  const size_t length = path.filename().string().size(), most = longest_name(folder_of(path));
  if (length <= most) return;
  throw Error(ErrorKind::failure,
              fmt::format("the output's name is too long ({}): expected at most {} bytes, found {}",
                          path.string(), most, length),
              "choose a shorter name");
}

Temporary make_temporary_file(const fs::path& output) {
  return make_beside(output, "", "cannot write file", [](const char* path) {
    return open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  });
}

Temporary make_temporary_folder(const fs::path& output) { return make_folder_beside(output, ""); }

Temporary make_folder_for_old(const fs::path& output) { return make_folder_beside(output, "old-"); }

int put_file(const fs::path& from, const OutputPath& output) {
  if (!output.replace) return rename_onto_nothing(from.c_str(), output.path.c_str());
  return rename(from.c_str(), output.path.c_str()) == 0 ? 0 : errno;
}

void sync_tree(const fs::path& folder) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    sync(entry->path());
  }
  sync(folder);
}

void sync_parent(const fs::path& path) { sync(folder_of(path)); }

void fail_writing(const std::string& doing, const fs::path& path, int error_number) {
  throw Error(ErrorKind::failure,
              fmt::format("{} ({}): {}", doing, path.string(), std::strerror(error_number)),
              write_hint(error_number));
}

void fail_existing(const fs::path& path) {
  throw Error(ErrorKind::failure, fmt::format("the output exists already ({})", path.string()),
              "use <force> to replace it, or choose another <output>");
}

std::string write_hint(int error_number) {
  if (error_number == ENOSPC || error_number == EDQUOT) return "free some space, or choose another <output>";
  if (error_number == EFBIG)
    return "the file is larger than the limit: see `ulimit -f`, or choose an <output> on another file system";
  return {};
}

bool is_unknown_flag(int error_number) {
  return error_number == EINVAL || error_number == ENOSYS || error_number == EOPNOTSUPP;
}

}  // namespace w2w
