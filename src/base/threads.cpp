#include "w2w/base/threads.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <future>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

namespace w2w {
namespace {

/// std::system_error where the system has no room for the threads that LibTorch starts next: its pool of its
/// own, which waits forever for those that did not start, and OpenMP's.
void expect_threads(unsigned count) {
  std::latch go(1);
  std::vector<std::jthread> threads;
  const auto release = [&go](void*) { go.count_down(); };
  const std::unique_ptr<void, decltype(release)> at_end(&go, release);  // also after an exception
  for (unsigned i = 0; i < count + std::max(count, std::thread::hardware_concurrency()); ++i)
    threads.emplace_back([&go] { go.wait(); });
}

}  // namespace

void set_threads(int count) {
  if (count <= 0) return;
  if (count > 1) expect_threads(static_cast<unsigned>(count));
  at::set_num_threads(count);
}

int thread_count() { return at::get_num_threads(); }

SingleThreaded::SingleThreaded() : before_(thread_count()) { at::set_num_threads(1); }
SingleThreaded::~SingleThreaded() { at::set_num_threads(before_); }

void run_parts(size_t count, const std::function<void(size_t)>& part) {
  if (count == 0) return;
  [[maybe_unused]] static const bool there_is_room = (expect_threads(1), true);
  const bool gradients = at::GradMode::is_enabled();
  std::vector<std::future<void>> others;
  for (size_t i = 0; i + 1 < count; ++i) {
    auto task = std::make_shared<std::packaged_task<void()>>([&part, gradients, i] {
      const at::AutoGradMode mode(gradients);
      part(i);
    });
    others.push_back(task->get_future());
    at::launch([task] { (*task)(); });  // threads that stay: oneDNN keeps caches for each
  }
  std::exception_ptr failure;
  try {
    part(count - 1);
  } catch (...) {
    failure = std::current_exception();  // the others still use what `part` refers to
  }
  for (auto& other : others) other.wait();
  for (auto& other : others) other.get();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace w2w
