#include "w2w/base/read_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "w2w/base/error.h"
#include "w2w/base/file_descriptor.h"
#include "w2w/base/run.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& name, int error_number) {
  if (error_number == ENOENT || error_number == ENOTDIR)
    throw Error(ErrorKind::not_found, fmt::format("no such file ({})", name));
  if (error_number == EISDIR)
    throw Error(ErrorKind::malformed, fmt::format("cannot read ({}): expected a file, found a folder", name));
  throw Error(ErrorKind::failure,
              fmt::format("cannot read file ({}): {}", name, std::strerror(error_number)));
}

/// Waits until there is something to read, or the end.
void wait_for_bytes(int descriptor, const Run& run) {
  constexpr int milliseconds = 100;  // a signal just before poll would not be heard without
  pollfd wanted{descriptor, POLLIN, 0};
  do {
    run.check_stop();
  } while (poll(&wanted, 1, milliseconds) <= 0);
}

}  // namespace

std::string read_descriptor(int descriptor, const std::string& name, const Run& run) {
  constexpr size_t least_room = size_t{1} << 16;
  std::string bytes;
  size_t size = 0;
  while (true) {
    wait_for_bytes(descriptor, run);
    if (bytes.size() - size < least_room) bytes.resize(std::max(2 * bytes.size(), 2 * least_room));
    const ssize_t count = read(descriptor, bytes.data() + size, bytes.size() - size);
    if (count == 0) break;
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) fail(name, errno);
    size += static_cast<size_t>(count);
    if (size <= most_read) continue;
    throw Error(ErrorKind::malformed,
                fmt::format("cannot read ({}): expected at most {} MiB, found more", name, most_read >> 20),
                "it may be a stream without an end");
  }
  bytes.resize(size);
  return bytes;
}

std::string read_file(const fs::path& path, const Run& run) {
  // Without O_NONBLOCK a FIFO would make the program wait for a writer.
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) fail(path.string(), errno);
  return read_descriptor(file.number(), path.string(), run);
}

std::string_view without_byte_order_mark(std::string_view text, const std::string& name) {
  constexpr std::string_view utf8("\xef\xbb\xbf"), utf16[] = {"\xff\xfe", "\xfe\xff"};
  for (const auto mark : utf16) {
    if (text.starts_with(mark))
      throw Error(ErrorKind::malformed,
                  fmt::format("cannot read ({}): expected text in UTF-8, found UTF-16", name),
                  "save it as UTF-8, or: iconv -f UTF-16 -t UTF-8");
  }
  return text.starts_with(utf8) ? text.substr(utf8.size()) : text;
}

std::string read_text(const fs::path& path, const Run& run) {
  return std::string(without_byte_order_mark(read_file(path, run), path.string()));
}

bool is_stream(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

}  // namespace w2w
