#pragma once
#include <utility>

namespace w2w {

/// An open file of the system, closed with its owner: also where the owner's constructor throws.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  /// -1: none
  explicit FileDescriptor(int number) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~FileDescriptor();

  bool is_open() const { return number_ >= 0; }
  int number() const { return number_; }

 private:
  int number_ = -1;
};

}  // namespace w2w
