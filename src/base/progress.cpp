#include "w2w/base/progress.h"

#include <atomic>

#include "w2w/base/error.h"

namespace w2w {
namespace {
std::atomic<bool> interrupt_flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");
}  // namespace

void request_interrupt() noexcept { interrupt_flag.store(true); }
bool interrupt_requested() noexcept { return interrupt_flag.load(); }

void check_interrupt() {
  if (interrupt_requested()) throw Error(ErrorKind::interrupted, "interrupted");
}

}  // namespace w2w
