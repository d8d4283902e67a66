#include "w2w/base/threads.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>
#include <vector>

namespace w2w {
namespace {

TEST(Threads, SingleThreadedGivesBackWhatWasThere) {
  const int before = thread_count();
  set_threads(3);
  {
    const SingleThreaded single;
    EXPECT_EQ(thread_count(), 1);
    EXPECT_EQ(single.threads_before(), 3);
  }
  EXPECT_EQ(thread_count(), 3);
  set_threads(before);
}

TEST(Threads, EveryPartRunsOnceOnAThreadOfItsOwn) {
  const at::NoGradGuard no_grad;
  const SingleThreaded single;
  std::vector<std::thread::id> ids(2);
  std::vector<int> threads(2), calls(2);
  std::vector<bool> gradients(2, true);
  run_parts(2, [&](size_t i) {
    ids[i] = std::this_thread::get_id();
    threads[i] = thread_count();
    gradients[i] = at::GradMode::is_enabled();
    ++calls[i];
  });
  EXPECT_NE(ids[0], ids[1]);
  EXPECT_EQ(ids[1], std::this_thread::get_id());
  EXPECT_EQ(threads, std::vector({1, 1}));
  EXPECT_EQ(calls, std::vector({1, 1}));
  EXPECT_EQ(gradients, std::vector<bool>({false, false}));
  run_parts(0, [](size_t) { FAIL(); });
}

TEST(Threads, WhatAnyPartThrowsComesOut) {
  for (const size_t failing : {0, 1}) {
    int finished = 0;
    EXPECT_THROW(run_parts(2,
                           [&](size_t i) {
                             if (i == failing) throw std::runtime_error("a part");
                             ++finished;
                           }),
                 std::runtime_error);
    EXPECT_EQ(finished, 1);
  }
}

}  // namespace
}  // namespace w2w
