#include "w2w/base/threads.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <future>
#include <vector>

namespace w2w {

void set_threads(int count) {
  if (count > 0) at::set_num_threads(count);
}

int thread_count() { return at::get_num_threads(); }

SingleThreaded::SingleThreaded() : before_(thread_count()) { at::set_num_threads(1); }
SingleThreaded::~SingleThreaded() { at::set_num_threads(before_); }

void run_parts(size_t count, const std::function<void(size_t)>& part) {
  if (count == 0) return;
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
