#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>

#include "w2w/base/file_descriptor.h"
#include "w2w/base/run.h"
#include "w2w/io/tensor_file.h"

namespace w2w {

/// A matrix written piece by piece, in any order, as a safetensors file of one tensor: for matrices larger
/// than memory and for work that goes on after an interruption. The file has its full size from the start,
/// so it does not show which parts were written; Error(failure) naming it for whatever the system refuses.
class MatrixFile {
 public:
  /// Makes `path`, or opens it again as it was left when it is such a file of the same size.
  MatrixFile(std::filesystem::path path, const std::string& name, int64_t rows, int64_t columns,
             c10::ScalarType dtype, const Metadata& metadata = {}, const Run& run = {});

  /// Whether the file was there, of this size: what had been written into it still is.
  bool reopened() const { return reopened_; }

  /// `block` [r, c] of any floating type goes to rows `row`.. and columns `column`..
  void write(int64_t row, int64_t column, const at::Tensor& block);
  /// What was written is on disk, even if the machine loses power.
  void flush();
  const std::filesystem::path& path() const { return path_; }

 private:
  [[noreturn]] void fail(const char* doing, int error_number) const;
  void write_bytes(const void* bytes, size_t size, int64_t offset) const;

  std::filesystem::path path_;
  int64_t rows_, columns_, start_ = 0;  ///< start: of the first row, bytes
  c10::ScalarType dtype_;
  FileDescriptor descriptor_;
  bool reopened_ = false;
};

}  // namespace w2w
