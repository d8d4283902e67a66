#include "w2w/base/recently_used.h"

#include <gtest/gtest.h>

#include <string>

namespace w2w {
namespace {

TEST(RecentlyUsed, ForgetsWhatWasNotUsedLongest) {
  RecentlyUsed<std::string, int> cache(2);
  cache.insert("a", 1);
  cache.insert("b", 2);
  EXPECT_EQ(*cache.find("a"), 1);  // now "b" is the older one
  cache.insert("c", 3);
  EXPECT_EQ(cache.find("b"), nullptr);
  EXPECT_EQ(*cache.find("a"), 1);
  EXPECT_EQ(*cache.find("c"), 3);
  EXPECT_EQ(cache.size(), 2U);
}

}  // namespace
}  // namespace w2w
