#pragma once
#include <cstddef>
#include <functional>

namespace w2w {

/// Threads for all ATen work; 0 leaves the default (one per core).
void set_threads(int count);
/// Threads that ATen's operators use now.
int thread_count();

/// While it lives, operators use one thread.
class SingleThreaded {
 public:
  SingleThreaded();
  ~SingleThreaded();
  SingleThreaded(const SingleThreaded&) = delete;
  SingleThreaded& operator=(const SingleThreaded&) = delete;

  /// What thread_count() was before.
  int threads_before() const { return before_; }

 private:
  int before_;
};

/// Calls part(0) to part(count - 1), each on a thread of its own, the last one on the caller's, and returns
/// when all are done. While a SingleThreaded lives, their operators use one thread each. What a part throws
/// is thrown here.
void run_parts(size_t count, const std::function<void(size_t)>& part);

}  // namespace w2w
