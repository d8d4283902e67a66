#include "device.h"

#include <ucontext.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace w2w::on_host {
namespace {

constexpr size_t warp_size = 32;
constexpr size_t stack_bytes =
    (size_t{32} << 10) + 320;  // so that the stacks do not share the same sets of caches

/// Where to go on. By the compiler's own means: swapcontext would set the mask of signals each time.
struct Place {
  void* registers[5];
};

[[noreturn, gnu::noipa]] void go(Place& there) { __builtin_longjmp(there.registers, 1); }

/// Returns when somebody goes to `here`.
[[gnu::noipa]] void leave(Place& here, Place& there) {
  if (__builtin_setjmp(here.registers) == 0) go(there);
}

/// A stack for threads of the block that runs.
struct Fiber {
  Place place{};
  std::unique_ptr<char[]> stack{new char[stack_bytes]};
  ucontext_t beginning{};
  bool begun = false;

  Fiber();
};

[[gnu::noipa]] void leave(Place& here, Fiber& fiber) {
  if (fiber.begun) return leave(here, fiber.place);
  fiber.begun = true;
  if (__builtin_setjmp(here.registers) == 0) setcontext(&fiber.beginning);
}

struct Thread {
  uint3 index;
  Fiber* fiber = nullptr;  ///< on which it waits
  unsigned exchanges = 0;  ///< so far
  unsigned given[2] = {};  ///< in the last exchange and the one before, which others may still read
};

/// One block. A fiber starts one thread after the other until one waits, which then keeps it.
class Block {
 public:
  Block(const Launch& launch, bool ascending) : launch_(launch), ascending_(ascending) {
    for (unsigned z = 0; z < launch.block.z; ++z) {
      for (unsigned y = 0; y < launch.block.y; ++y) {
        for (unsigned x = 0; x < launch.block.x; ++x) threads_.push_back({{x, y, z}});
      }
    }
    warps_.resize((threads_.size() + warp_size - 1) / warp_size);
  }

  void run() {
    static std::vector<std::unique_ptr<Fiber>> fibers;  // kept for later blocks
    for (size_t used = 0; started_ < threads_.size(); ++used) {
      if (used == fibers.size()) fibers.push_back(std::make_unique<Fiber>());
      running_ = fibers[used].get();
      leave(scheduler_, *running_);
    }
    if (!ready_.empty()) leave(scheduler_, next().place);
    if (left_ < threads_.size()) problem_ = "threads wait for others that do not come";
    if (problem_) {
      fibers.clear();  // on some of them threads still wait
      throw std::logic_error(problem_);
    }
  }

  // On a fiber

  void start_threads() {
    while (started_ < threads_.size()) {
      enter(threads_[place(started_++)]);
      launch_.thread();
      ++left_;
      release_block();
    }
    go_on();
  }

  void wait_for_block() {
    waiting_.push_back(number());
    release_block();
    wait();
  }

  unsigned exchange(unsigned mask, unsigned own, unsigned from) {
    if (mask != ~0u) problem_ = "an exchange among some lanes only";
    const auto turn = current_->exchanges++ % 2;
    current_->given[turn] = own;
    const size_t warp = number() / warp_size;
    warps_[warp].push_back(number());
    if (warps_[warp].size() == warp_size) release(warps_[warp]);
    wait();
    return threads_[warp * warp_size + from].given[turn];
  }

  size_t number() const { return static_cast<size_t>(current_ - threads_.data()); }

 private:
  using Numbers = std::vector<size_t>;

  size_t place(size_t i) const { return ascending_ ? i : threads_.size() - 1 - i; }
  void enter(Thread& thread) { current_ = &thread, threadIdx = thread.index; }
  void wait() {
    current_->fiber = running_;
    go_on();
  }
  /// With the next thread; with the scheduler while some have not started, and when none can go on.
  void go_on() {
    auto& here = running_->place;
    leave(here, started_ < threads_.size() || ready_.empty() ? scheduler_ : next().place);
  }
  Fiber& next() {
    enter(threads_[ready_.front()]);
    ready_.pop_front();
    running_ = current_->fiber;
    return *running_;
  }
  void release(Numbers& threads) {
    ready_.insert(ready_.end(), threads.begin(), threads.end());
    threads.clear();
  }
  /// Those that have left are not waited for.
  void release_block() {
    if (waiting_.size() + left_ == threads_.size()) release(waiting_);
  }

  const Launch& launch_;
  bool ascending_;
  std::vector<Thread> threads_;
  size_t started_ = 0, left_ = 0;
  std::vector<Numbers> warps_;  // of each warp those that wait for its others
  Numbers waiting_;             // for all others
  std::deque<size_t> ready_;
  Thread* current_ = nullptr;
  Fiber* running_ = nullptr;
  Place scheduler_{};
  const char* problem_ = nullptr;
};

Block* block = nullptr;  // the one that runs
std::function<void(const Launch&)> watcher;

Fiber::Fiber() {
  getcontext(&beginning);
  beginning.uc_stack.ss_sp = stack.get();
  beginning.uc_stack.ss_size = stack_bytes;
  makecontext(
      &beginning,
      [] {
        for (;;) block->start_threads();
      },
      0);
}

}  // namespace

void run(const Launch& launch) {
  static std::mutex one_at_a_time;
  static std::map<const void*, bool> orders;
  const std::scoped_lock lock(one_at_a_time);
  const bool ascending = orders[launch.kernel] = !orders[launch.kernel];
  gridDim = launch.grid, blockDim = launch.block;
  for (unsigned z = 0; z < launch.grid.z; ++z) {
    for (unsigned y = 0; y < launch.grid.y; ++y) {
      for (unsigned x = 0; x < launch.grid.x; ++x) {
        blockIdx = {x, y, z};
        Block one(launch, ascending);
        block = &one;
        one.run();
      }
    }
  }
  if (watcher) watcher(launch);
}

Watch::Watch(std::function<void(const Launch&)> seen) { watcher = std::move(seen); }
Watch::~Watch() { watcher = nullptr; }

unsigned exchange(unsigned mask, unsigned own, unsigned from) { return block->exchange(mask, own, from); }
unsigned lane() { return static_cast<unsigned>(block->number() % warp_size); }

}  // namespace w2w::on_host

void __syncthreads() { w2w::on_host::block->wait_for_block(); }
