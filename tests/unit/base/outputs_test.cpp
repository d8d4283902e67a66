// Outputs appear whole or not at all, replace only what they may, and leave nothing behind: AtomicFile,
// AtomicFolder, remove_leftovers, on file systems with and without renameat2's flags.

#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/atomic_file.h"
#include "w2w/base/atomic_folder.h"

namespace {

enum class FileSystem { modern, without_flags };
FileSystem file_system = FileSystem::modern;

}  // namespace

/// glibc's, in the place of which the linker takes this one.
extern "C" int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  if (flags == 0 || file_system == FileSystem::modern)
    return static_cast<int>(syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
  errno = EINVAL;
  return -1;
}

namespace w2w {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

fs::path only_entry(const fs::path& folder) {
  const auto names = names_in(folder);
  return names.size() == 1 ? folder / names.front() : fs::path();
}

void make_old(const fs::path& path) {
  fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::minutes(2));
}

/// Runs `body` in a process that is killed at its end.
template <typename Body>
void killed_after(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
}

class Outputs : public testing::TestWithParam<FileSystem> {
 protected:
  void SetUp() override { file_system = GetParam(); }
  void TearDown() override { file_system = FileSystem::modern; }
  test::TemporaryFolder root;
};

INSTANTIATE_TEST_SUITE_P(FileSystems, Outputs, testing::Values(FileSystem::modern, FileSystem::without_flags),
                         [](const auto& one) {
                           return one.param == FileSystem::modern ? "modern" : "without_flags";
                         });

TEST_P(Outputs, AFileThatCameToBeMeanwhileIsNotReplacedUnlessItMayBe) {
  AtomicFile file(OutputPath(root / "a", false));
  file.write("mine");
  write_file(root / "a", "theirs");
  test::expect_error(ErrorKind::failure, "the output exists already (" + (root / "a").string() + ")",
                     [&] { file.commit(); });
  EXPECT_EQ(test::read_bytes(root / "a"), "theirs");
  write_file(root / "a", "replaced");
  EXPECT_EQ(test::read_bytes(root / "a"), "replaced");
  write_file(OutputPath(root / "b", false), "new");
  EXPECT_EQ(test::read_bytes(root / "b"), "new");
}

TEST_P(Outputs, AFolderThatCameToBeMeanwhileIsNotReplacedUnlessItMayBe) {
  const auto make = [&](bool may_replace, const char* text) {
    AtomicFolder folder(OutputPath(root / "model", may_replace));
    write_file(folder.temporary() / "new", text);
    fs::create_directories(root / "model");
    if (fs::is_empty(root / "model")) write_file(root / "model/old", "old");
    folder.commit();
  };
  test::expect_error(ErrorKind::failure, "the output exists already", [&] { make(false, "1"); });
  EXPECT_EQ(names_in(root / "model"), std::vector<std::string>{"old"});
  make(true, "2");
  EXPECT_EQ(names_in(root / "model"), std::vector<std::string>{"new"});
  EXPECT_EQ(names_in(root.path()), std::vector<std::string>{"model"});
}

TEST_P(Outputs, AnEmptyFolderAndAFileInItsPlace) {
  fs::create_directory(root / "model");
  {
    AtomicFolder folder(OutputPath(root / "model", false));
    write_file(folder.temporary() / "a", "1");
    folder.commit();
  }
  EXPECT_EQ(test::read_bytes(root / "model/a"), "1");
  write_file(root / "file", "precious");
  AtomicFolder folder(OutputPath(root / "file", false));
  test::expect_error(ErrorKind::failure, "exists already", [&] { folder.commit(); });
  EXPECT_EQ(test::read_bytes(root / "file"), "precious");
}

TEST_P(Outputs, HaveTheModeThatOtherProgramsGiveThem) {
  const auto before = umask(027);
  write_file(root / "a", "x");
  AtomicFolder folder(root / "b");
  folder.commit();
  umask(before);
  EXPECT_EQ(fs::status(root / "a").permissions(), static_cast<fs::perms>(0640));
  EXPECT_EQ(fs::status(root / "b").permissions(), static_cast<fs::perms>(0750));
}

TEST_P(Outputs, NamesAsLongAsTheFileSystemHasThem) {
  for (const size_t length : {244, 248, 254, 255}) {
    const std::string name(length, 'n');
    write_file(root / name, "x");
    EXPECT_EQ(test::read_bytes(root / name), "x") << length;
    AtomicFolder folder(root / ("f" + name.substr(1)));
    folder.commit();
  }
  std::string letters;
  while (letters.size() < 254) letters += "\xc3\xa4";  // ä: a temporary name ends with a whole one
  AtomicFile file(root / letters);
  for (const auto& name : names_in(root.path())) {
    if (name.starts_with('.')) {
      EXPECT_NE(name.find("\xa4.w2w-"), name.npos) << name;
    }
  }
  test::expect_error(ErrorKind::failure, "expected at most 255 bytes, found 256",
                     [&] { AtomicFile long_one(root / std::string(256, 'n')); });
  test::expect_error(ErrorKind::failure, "expected at most 255 bytes, found 300",
                     [&] { AtomicFolder long_one(root / std::string(300, 'n')); });
}

TEST_P(Outputs, WhatAKilledProcessLeftIsRemovedAndNothingElse) {
  killed_after([&] {
    auto* file = new AtomicFile(root / "a");
    file->write("half");
  });
  killed_after([&] {
    auto* folder = new AtomicFolder(root / "model");
    write_file(folder->temporary() / "a", "half");
  });
  const auto left = names_in(root.path());
  ASSERT_EQ(left.size(), 2);
  AtomicFile alive(root / "a");
  for (const auto* foreign : {".a.XXXXXX", ".a.w2w-", ".a.w2w-12345", "a.w2w-123456", ".w2w-12345!"})
    write_file(root / foreign, "foreign");
  const auto all = names_in(root.path());
  remove_leftovers(root.path());  // they may be somebody's who has not locked them yet
  EXPECT_EQ(names_in(root.path()).size(), all.size());
  for (const auto& name : all) make_old(root / name);
  remove_leftovers(root.path());
  EXPECT_EQ(names_in(root.path()).size(), 6);
  for (const auto& name : left) EXPECT_FALSE(fs::exists(root / name)) << name;
  alive.write("whole");
  alive.commit();
  EXPECT_EQ(test::read_bytes(root / "a"), "whole");
}

TEST(Leftovers, AnOldFolderWhoseReplacementWasKilledComesBack) {
  test::TemporaryFolder root;
  fs::create_directories(root / "model");
  write_file(root / "model/a", "old");
  killed_after([&] {  // as put_folder does where names cannot be exchanged
    fs::create_directory(root / ".model.w2w-old-abc123");
    fs::rename(root / "model", root / ".model.w2w-old-abc123/model");
  });
  remove_leftovers(root.path());
  EXPECT_EQ(test::read_bytes(root / "model/a"), "old");
  make_old(root / ".model.w2w-old-abc123");
  remove_leftovers(root.path());
  EXPECT_EQ(only_entry(root.path()), root / "model");
}

TEST(Leftovers, FoldersThatAreNotThereHaveNone) { remove_leftovers("/no/such/folder"); }

/// The name is never without a whole folder, whenever the process is killed.
TEST(AtomicFolder, IsExchangedInOneStep) {
  test::TemporaryFolder root;
  const auto put = [&](const std::string& text) {
    AtomicFolder folder(root / "model");
    for (const auto* name : {"a", "b", "c"}) write_file(folder.temporary() / name, text);
    folder.commit();
  };
  put("0");
  for (int i = 0; i < 12; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      for (int k = 1;; ++k) put(std::to_string(k));
    }
    usleep(3000 + 1700 * static_cast<unsigned>(i));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const auto text = test::read_bytes(root / "model/a");
    EXPECT_FALSE(text.empty());
    for (const auto* name : {"b", "c"}) EXPECT_EQ(test::read_bytes(root / "model" / name), text);
  }
  for (const auto& name : names_in(root.path())) make_old(root / name);
  remove_leftovers(root.path());
  EXPECT_EQ(only_entry(root.path()), root / "model");
}

TEST(MoveWhole, ToAnotherFileSystemIsACopy) {
  test::TemporaryFolder root;
  const fs::path elsewhere = fs::path("/dev/shm") / root.path().filename();
  write_file(root / "a", "matrix");
  move_whole(root / "a", elsewhere);
  EXPECT_EQ(test::read_bytes(elsewhere), "matrix");
  test::expect_error(ErrorKind::failure, "exists already", [&] {
    write_file(root / "b", "x");
    move_whole(root / "b", OutputPath(elsewhere, false));
  });
  EXPECT_EQ(test::read_bytes(elsewhere), "matrix");
  fs::remove(elsewhere);
}

}  // namespace
}  // namespace w2w
