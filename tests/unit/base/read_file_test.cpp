#include "w2w/base/read_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/run.h"

namespace w2w {
namespace {

TEST(ReadFile, FilesAndStreamsToTheirEnd) {
  test::TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 300'000; ++i) text += std::to_string(i);
  write_file(folder / "file", text);
  EXPECT_EQ(read_file(folder / "file"), text);
  write_file(folder / "empty", "");
  EXPECT_EQ(read_file(folder / "empty"), "");
  EXPECT_FALSE(read_file("/proc/self/status").empty());  // of size 0
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_TRUE(is_stream(folder / "pipe"));
  EXPECT_FALSE(is_stream(folder / "file"));
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the reader waits for it
    std::ofstream(folder / "pipe") << text;
  });
  EXPECT_EQ(read_file(folder / "pipe"), text);
  writer.join();
}

TEST(ReadFile, SaysWhatIsWrong) {
  test::TemporaryFolder folder;
  test::expect_error(ErrorKind::not_found, "no such file", [&] { read_file(folder / "none"); });
  test::expect_error(ErrorKind::malformed, "found a folder", [&] { read_file(folder.path()); });
  test::expect_error(ErrorKind::malformed, "expected at most 256 MiB", [] { read_file("/dev/zero"); });
}

TEST(ReadFile, LooksForAStopWhileItWaits) {
  test::TemporaryFolder folder;
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  StopFlag stop;
  std::thread asking([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop.request();
  });
  test::expect_error(ErrorKind::interrupted, "interrupted", [&] {
    read_file(folder / "pipe", {{}, &stop, {}});
  });
  asking.join();
}

}  // namespace
}  // namespace w2w
