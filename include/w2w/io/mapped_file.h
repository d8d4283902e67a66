#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "w2w/base/run.h"

namespace w2w {

/// A whole file mapped read-only into memory; pages are read when they are touched and shared with every
/// other process.
class MappedFile {
 public:
  /// Error(not_found) when there is no such file, Error(malformed) when it is not a regular file,
  /// Error(failure) when the system refuses.
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
  /// The same; a stream (a pipe, /dev/stdin, <(...)) is read into memory: for what is read once. Errors of
  /// read_file.
  static std::shared_ptr<const MappedFile> open_or_read(const std::filesystem::path& path,
                                                        const Run& run = {});
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {data_, size_}; }
  size_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  MappedFile(std::filesystem::path path, const char* data, size_t size)
      : path_(std::move(path)), data_(data), size_(size) {}
  MappedFile(std::filesystem::path path, std::string contents)
      : path_(std::move(path)),
        contents_(std::move(contents)),
        data_(contents_.data()),
        size_(contents_.size()) {}

  std::filesystem::path path_;
  std::string contents_;  ///< of a stream
  const char* data_;
  size_t size_;
};

/// The path of the live mapping that holds `address`, or null. Async-signal-safe: pages of a file that was
/// cut short while it is mapped raise SIGBUS, and this tells whose they are.
const char* mapped_file_at(const void* address) noexcept;

/// Elements x of a contiguous tensor of this shape; nothing when a dimension is negative or the bytes
/// overflow 63 bits.
std::optional<int64_t> checked_byte_count(c10::IntArrayRef shape, c10::ScalarType dtype);

/// A contiguous tensor over the mapped bytes that start at `offset`, which keeps the mapping alive. A copy
/// when the address is not a multiple of the element size, which ATen's kernels demand. The range must have
/// been checked by the caller.
at::Tensor tensor_over(const std::shared_ptr<const MappedFile>& file, size_t offset, c10::IntArrayRef shape,
                       c10::ScalarType dtype);

}  // namespace w2w
