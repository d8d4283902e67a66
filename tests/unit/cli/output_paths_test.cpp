#include "cli/files/output_paths.h"

#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace w2w::cli {
namespace {

using Paths = std::vector<std::filesystem::path>;
const PlannedOutput coefficients{"coefficients", "person-7", ".safetensors"};
const PlannedOutput picture{"picture", "person-7", "_p1_s5.png"};
const PlannedOutput second_picture{"picture", "person-7", "_p1_s6.png"};

Paths planned(const std::optional<std::string>& output, const std::vector<PlannedOutput>& outputs,
              Existing existing = Existing::refuse) {
  Paths paths;
  for (const auto& one : plan_outputs(output, outputs, existing)) {
    EXPECT_EQ(one.replace, existing == Existing::replace);
    paths.push_back(one.path);
  }
  return paths;
}

void touch(const std::filesystem::path& path) { std::ofstream(path) << "x"; }

TEST(OutputPaths, CurrentFolderWithoutOutput) {
  EXPECT_EQ(planned({}, {coefficients, picture}), (Paths{"person-7.safetensors", "person-7_p1_s5.png"}));
}

TEST(OutputPaths, FolderIsMade) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(planned((folder / "a/b").string(), {coefficients, picture}),
            (Paths{folder / "a/b/person-7.safetensors", folder / "a/b/person-7_p1_s5.png"}));
  EXPECT_TRUE(std::filesystem::is_directory(folder / "a/b"));
  EXPECT_TRUE(std::filesystem::is_empty(folder / "a/b")) << "the check of writability leaves nothing";
}

TEST(OutputPaths, ExtensionNamesTheOnlyOutputOfItsKind) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(planned((folder / "me.safetensors").string(), {coefficients, picture, second_picture}),
            (Paths{folder / "me.safetensors", folder / "me_p1_s5.png", folder / "me_p1_s6.png"}));
  EXPECT_EQ(planned((folder / "me.JPEG").string(), {coefficients, picture}),
            (Paths{folder / "me.safetensors", folder / "me.JPEG"}));
}

TEST(OutputPaths, FormatsThatNothingHasAreRefused) {
  const test::TemporaryFolder folder;
  const auto refused = [&](const char* name, const PlannedOutput& output, const std::string& expected) {
    test::expect_error(ErrorKind::usage, "this command writes no " + expected,
                       [&] { planned((folder / name).string(), {output}); });
  };
  refused("me.WebP", picture,
          ".webp files (" + (folder / "me.WebP").string() + "); expected .jpg, .png or a folder");
  refused("me.ckpt", coefficients, ".ckpt files");
  refused("me.safetensors", {"lora", "person-7", "_lora"}, ".safetensors files");
  refused("me.safetensors", {"coefficients", "person-7", ".pt"}, ".safetensors files");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(OutputPaths, CoefficientsMayBeATorchFile) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(planned((folder / "me.pt").string(), {coefficients, picture}),
            (Paths{folder / "me.pt", folder / "me_p1_s5.png"}));
}

TEST(OutputPaths, ExtensionIsAFolderWhenSeveralOrNoneSuit) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(planned((folder / "me.png").string(), {picture, second_picture}),
            (Paths{folder / "me.png/person-7_p1_s5.png", folder / "me.png/person-7_p1_s6.png"}));
  EXPECT_EQ(planned((folder / "run.2").string(), {coefficients}),
            (Paths{folder / "run.2/person-7.safetensors"}));
  std::filesystem::create_directory(folder / "old.safetensors");
  EXPECT_EQ(planned((folder / "old.safetensors").string(), {coefficients}),
            (Paths{folder / "old.safetensors/person-7.safetensors"}));
}

TEST(OutputPaths, ExistingFilesAreRefusedUnlessForced) {
  const test::TemporaryFolder folder;
  touch(folder / "person-7_p1_s5.png");
  const auto plan = [&](Existing existing) {
    return planned(folder.path().string(), {coefficients, picture}, existing);
  };
  test::expect_error(ErrorKind::failure, "the output exists already", [&] { plan(Existing::refuse); });
  EXPECT_EQ(plan(Existing::replace).size(), 2U);
  EXPECT_EQ(plan(Existing::keep).size(), 2U);
  EXPECT_EQ(test::read_bytes(folder / "person-7_p1_s5.png"), "x") << "planning changes nothing";
}

TEST(OutputPaths, UnwritablePlacesAreRefused) {
  const test::TemporaryFolder folder;
  touch(folder / "file");
  test::expect_error(ErrorKind::failure, "cannot make the output folder",
                     [&] { planned((folder / "file/sub").string(), {picture}); });
  test::expect_error(ErrorKind::failure, "cannot make the output folder",
                     [&] { planned((folder / "file").string(), {picture}); });
  test::expect_error(ErrorKind::failure, "cannot write", [&] { planned("/proc/me.png", {picture}); });
  std::filesystem::create_directory(folder / "person-7_p1_s5.png");
  test::expect_error(ErrorKind::failure, "is a folder, expected a file",
                     [&] { planned(folder.path().string(), {picture}, Existing::replace); });
  test::expect_error(ErrorKind::usage, "found ''", [&] { planned("", {picture}); });
}

TEST(OutputPaths, TwoOutputsOfOneNameAreRefused) {
  const test::TemporaryFolder folder;
  test::expect_error(ErrorKind::usage, "the same name", [&] {
    planned(folder.path().string(), {picture, picture}, Existing::replace);
  });
}

TEST(OutputPaths, FoldersOfOtherThingsAreNotReplaced) {  // "anna" may be the folder of anna's pictures
  const test::TemporaryFolder folder;
  const auto plan = [&] {
    return planned(folder.path().string(), {{"lora", "anna", ""}}, Existing::replace);
  };
  std::filesystem::create_directory(folder / "anna");
  EXPECT_EQ(plan(), Paths{folder / "anna"});
  touch(folder / "anna/adapter_config.json");
  touch(folder / "anna/adapter_model.safetensors");
  EXPECT_EQ(plan(), Paths{folder / "anna"});
  touch(folder / "anna/1.jpg");
  test::expect_error(ErrorKind::failure, "is a folder that holds other files", plan);
}

TEST(OutputPaths, NamesThatNoFileCanHave) {
  const test::TemporaryFolder folder;
  const PlannedOutput longest{"picture", std::string(255 - picture.suffix.size(), 'n'), picture.suffix};
  EXPECT_EQ(planned(folder.path().string(), {longest}).front().filename().string().size(), 255U);
  const PlannedOutput longer{"picture", longest.stem + "n", picture.suffix};
  test::expect_error(ErrorKind::failure, "expected at most 255 bytes, found 256",
                     [&] { planned(folder.path().string(), {longer}); });
}

TEST(OutputPaths, AFolderIsTriedOnceForAllOfThem) {
  const test::TemporaryFolder folder;
  std::vector<PlannedOutput> many;
  for (int i = 0; i < 5'000; ++i) many.push_back({"picture", "person-" + std::to_string(i), ".png"});
  const int watch = inotify_init1(IN_NONBLOCK);
  ASSERT_GE(inotify_add_watch(watch, folder.path().c_str(), IN_CREATE), 0);
  EXPECT_EQ(planned(folder.path().string(), many).size(), many.size());
  alignas(inotify_event) char events[65536];
  const auto bytes = read(watch, events, sizeof(events));
  close(watch);
  ASSERT_GT(bytes, 0);
  const auto* first = reinterpret_cast<const inotify_event*>(events);
  EXPECT_EQ(bytes, static_cast<int64_t>(sizeof(inotify_event) + first->len)) << "one file was made";
}

TEST(OutputPaths, WhatAKilledRunLeftIsRemoved) {
  const test::TemporaryFolder folder;
  const auto left = folder / ".person-1.png.w2w-abc123";
  touch(left);
  std::filesystem::last_write_time(left,
                                   std::filesystem::file_time_type::clock::now() - std::chrono::minutes(2));
  planned(folder.path().string(), {picture});
  EXPECT_FALSE(std::filesystem::exists(left));
}

}  // namespace
}  // namespace w2w::cli
