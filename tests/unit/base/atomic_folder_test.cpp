#include "w2w/base/atomic_folder.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/atomic_file.h"

namespace w2w {
namespace {

namespace fs = std::filesystem;

int64_t entries(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

TEST(AtomicFolder, AppearsWhole) {
  test::TemporaryFolder root;
  AtomicFolder folder(root / "model/");
  write_file(folder.temporary() / "a", "1");
  EXPECT_FALSE(fs::exists(root / "model"));
  folder.commit();
  EXPECT_EQ(test::read_bytes(root / "model/a"), "1");
  EXPECT_EQ(entries(root.path()), 1);
}

TEST(AtomicFolder, LeavesNothingWithoutCommit) {
  test::TemporaryFolder root;
  {
    AtomicFolder folder(root / "model");
    write_file(folder.temporary() / "a", "1");
  }
  EXPECT_EQ(entries(root.path()), 0);
}

TEST(AtomicFolder, TakesTheOldOnesPlace) {
  test::TemporaryFolder root;
  fs::create_directories(root / "model/deep");
  write_file(root / "model/deep/old", "old");
  AtomicFolder folder(root / "model");
  write_file(folder.temporary() / "new", "new");
  folder.commit();
  EXPECT_EQ(entries(root / "model"), 1);
  EXPECT_EQ(test::read_bytes(root / "model/new"), "new");
  EXPECT_EQ(entries(root.path()), 1);
}

TEST(AtomicFolder, SaysWhereItCannot) {
  test::expect_error(ErrorKind::failure, "/proc/model", [] { AtomicFolder folder("/proc/model"); });
}

}  // namespace
}  // namespace w2w
