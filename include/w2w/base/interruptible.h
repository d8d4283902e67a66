#pragma once
#include <chrono>
#include <future>
#include <thread>

#include "w2w/base/run.h"

namespace w2w {

/// Runs `work`, one call that may take minutes and cannot look for a stop itself, in a thread of its own.
/// Error(interrupted) as soon as `run` is to stop: then the thread works until its call ends, so `work` has
/// to hold by value all it uses.
template <typename Work>
auto interruptible(const Run& run, Work work) {
  std::packaged_task<decltype(work())()> task(std::move(work));
  auto result = task.get_future();
  std::thread(std::move(task)).detach();
  while (result.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) run.check_stop();
  return result.get();
}

}  // namespace w2w
