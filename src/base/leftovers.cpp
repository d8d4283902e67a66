#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <ctime>
#include <string_view>

#include "base/temporary.h"
#include "w2w/base/atomic_folder.h"
#include "w2w/base/run.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

constexpr time_t least_age = 60;  ///< seconds; a new one may not be locked yet

enum class Kind { foreign, unfinished, replaced };

/// By its name: see temporary.h.
Kind kind_of(std::string_view name) {
  const std::string_view mark = ".w2w-", mark_of_old = ".w2w-old-";
  const size_t random = 6;
  if (!name.starts_with('.') || name.size() < 1 + mark.size() + random) return Kind::foreign;
  const auto letters = name.substr(name.size() - random);
  if (!std::all_of(letters.begin(), letters.end(), [](unsigned char c) { return std::isalnum(c); }))
    return Kind::foreign;
  name.remove_suffix(random);
  return name.ends_with(mark)          ? Kind::unfinished
         : name.ends_with(mark_of_old) ? Kind::replaced
                                       : Kind::foreign;
}

/// The old folder goes back into its place, unless something came to be there.
void put_back(const fs::path& aside, const fs::path& folder) {
  std::error_code ignored;
  for (const auto& old : fs::directory_iterator(aside, ignored)) {
    const auto place = folder / old.path().filename();
    if (!fs::exists(fs::symlink_status(place, ignored))) fs::rename(old.path(), place, ignored);
  }
}

}  // namespace

void remove_leftovers(const fs::path& given, const Run& run) {
  const fs::path folder = given.empty() ? "." : given;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    run.check_stop();
    const auto kind = kind_of(entry->path().filename().native());
    if (kind == Kind::foreign) continue;
    const int descriptor = open(entry->path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0) continue;
    struct stat status {};
    const bool left = fstat(descriptor, &status) == 0 && flock(descriptor, LOCK_EX | LOCK_NB) == 0;
    const bool usual = S_ISREG(status.st_mode) || S_ISDIR(status.st_mode);
    const bool old = std::time(nullptr) - status.st_mtime >= least_age;
    std::error_code ignored;
    if (left && kind == Kind::replaced) put_back(entry->path(), folder);
    if (left && usual && old) fs::remove_all(entry->path(), ignored);
    close(descriptor);
  }
}

}  // namespace w2w
