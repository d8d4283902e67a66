#include "w2w/io/matrix_file.h"

#include <c10/core/ScalarType.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/temporary.h"
#include "io/safetensors_header.h"
#include "w2w/base/run.h"

namespace w2w {

MatrixFile::MatrixFile(std::filesystem::path path, const std::string& name, int64_t rows, int64_t columns,
                       c10::ScalarType dtype, const Metadata& metadata, const Run& run)
    : path_(std::move(path)), rows_(rows), columns_(columns), dtype_(dtype) {
  const auto header = safetensors_header(name, {rows, columns}, dtype, metadata);
  start_ = static_cast<int64_t>(header.size());
  const int64_t size = start_ + rows * columns * static_cast<int64_t>(c10::elementSize(dtype));
  descriptor_ = FileDescriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  struct stat status {};
  if (!descriptor_.is_open() || fstat(descriptor_.number(), &status) != 0) fail("cannot write", errno);
  reopened_ = status.st_size == size;
  if (!reopened_ && ftruncate(descriptor_.number(), 0) != 0) fail("cannot write", errno);
  // Reserved now, so that a full disk is an error at once and not in the middle of the work.
  int error = 0;
  while ((error = posix_fallocate(descriptor_.number(), 0, size)) == EINTR) run.check_stop();
  if (error != 0) fail("cannot reserve", error);
  write_bytes(header.data(), header.size(), 0);
}

void MatrixFile::write(int64_t row, int64_t column, const at::Tensor& block) {
  const auto values = block.to(dtype_).contiguous();
  const auto element = static_cast<int64_t>(c10::elementSize(dtype_));
  const int64_t count = values.size(0), width = values.size(1);
  TORCH_INTERNAL_ASSERT(row >= 0 && column >= 0 && row + count <= rows_ && column + width <= columns_);
  const auto* bytes = static_cast<const char*>(values.const_data_ptr());
  const auto offset = [&](int64_t i) { return start_ + ((row + i) * columns_ + column) * element; };
  if (width == columns_) return write_bytes(bytes, values.nbytes(), offset(0));
  const int64_t length = width * element;
  for (int64_t i = 0; i < count; ++i) {
    write_bytes(bytes + i * length, static_cast<size_t>(length), offset(i));
  }
}

void MatrixFile::flush() {
  if (fdatasync(descriptor_.number()) != 0) fail("cannot flush", errno);
}

void MatrixFile::write_bytes(const void* bytes, size_t size, int64_t offset) const {
  const auto* at = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t written = pwrite(descriptor_.number(), at, size, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot write", errno);
    at += written;
    offset += written;
    size -= static_cast<size_t>(written);
  }
}

void MatrixFile::fail(const char* doing, int error_number) const {
  fail_writing(fmt::format("{} file", doing), path_, error_number);
}

}  // namespace w2w
