#pragma once
// What is being written has a name of its own beside its output, ".NAME.w2w-XXXXXX", and is locked (flock)
// by the process that writes it. So what a killed process left behind is known: nobody holds its lock.

#include <filesystem>
#include <string>

#include "w2w/base/output_path.h"

namespace w2w {

struct Temporary {
  std::filesystem::path path;
  int descriptor = -1;  ///< open, and with it locked where the file system has locks
};

/// Empty, with the mode that any other program would give it. Errors as of `fail_writing`.
Temporary make_temporary_file(const std::filesystem::path& output);
Temporary make_temporary_folder(const std::filesystem::path& output);

/// The folder for an old folder that is replaced in two steps, ".NAME.w2w-old-XXXXXX".
Temporary make_folder_for_old(const std::filesystem::path& output);

/// Gives the file `from` the name of the output; an errno, EEXIST where something is there that may not be
/// replaced.
int put_file(const std::filesystem::path& from, const OutputPath& output);

/// What `path` contains, or its name alone, is on disk even if the machine loses power.
void sync_tree(const std::filesystem::path& folder);
void sync_parent(const std::filesystem::path& path);

/// Error(failure): "DOING file (PATH): REASON".
[[noreturn]] void fail_writing(const std::string& doing, const std::filesystem::path& path, int error_number);
[[noreturn]] void fail_existing(const std::filesystem::path& path);
/// The next step after `error_number`, or empty.
std::string write_hint(int error_number);

/// Whether a system call with a flag of renameat2 failed because the file system or kernel does not know it.
bool is_unknown_flag(int error_number);

}  // namespace w2w
