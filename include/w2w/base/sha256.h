#pragma once
#include <memory>
#include <string>

namespace w2w {

/// SHA-256 over bytes given in pieces.
class Sha256 {
 public:
  Sha256();
  Sha256& update(const void* bytes, size_t size);
  /// 64 lower-case hexadecimal digits; the object must not be used afterwards.
  std::string hex();

 private:
  std::shared_ptr<void> context_;
};

}  // namespace w2w
