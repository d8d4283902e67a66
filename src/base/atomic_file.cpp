#include "w2w/base/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/temporary.h"
#include "w2w/base/error.h"
#include "w2w/base/file_descriptor.h"
#include "w2w/base/run.h"

namespace w2w {

AtomicFile::AtomicFile(OutputPath output) : output_(std::move(output)) {
  auto temporary = make_temporary_file(output_.path);
  temporary_ = std::move(temporary.path);
  descriptor_ = temporary.descriptor;
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
  if (descriptor_ >= 0) close(descriptor_);
}

void AtomicFile::write(const void* bytes, size_t size) {
  auto* at = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t written = ::write(descriptor_, at, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_writing("cannot write file", path(), errno);
    at += written;
    size -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  while (fsync(descriptor_) != 0) {
    if (errno != EINTR) fail_writing("cannot flush file", path(), errno);
  }
  const int error = put_file(temporary_, output_);
  if (error == EEXIST) fail_existing(path());
  if (error != 0) fail_writing("cannot rename into file", path(), error);
  temporary_.clear();
  sync_parent(path());
  close(std::exchange(descriptor_, -1));
}

void write_file(const OutputPath& output, std::string_view bytes) {
  AtomicFile file(output);
  file.write(bytes);
  file.commit();
}

void write_bytes_of(const std::filesystem::path& from, AtomicFile& file, const Run& run) {
  const auto fail = [&] {
    throw Error(ErrorKind::failure, "cannot read file (" + from.string() + "): " + std::strerror(errno));
  };
  const FileDescriptor source(open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source.is_open()) fail();
  std::vector<char> block(size_t{1} << 22);
  while (true) {
    run.check_stop();
    const ssize_t count = read(source.number(), block.data(), block.size());
    if (count == 0) return;
    if (count > 0) file.write(block.data(), static_cast<size_t>(count));
    if (count < 0 && errno != EINTR) fail();
  }
}

void copy_whole(const std::filesystem::path& from, const OutputPath& output, const Run& run) {
  AtomicFile file(output);
  write_bytes_of(from, file, run);
  file.commit();
}

void move_whole(const std::filesystem::path& from, const OutputPath& output) {
  check_file_name(output.path);
  const int error = put_file(from, output);
  if (error == EXDEV) return copy_whole(from, output);
  if (error == EEXIST) fail_existing(output.path);
  if (error != 0) fail_writing("cannot rename into file", output.path, error);
  sync_parent(output.path);
}

}  // namespace w2w
