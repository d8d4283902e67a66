#include "w2w/output_paths.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace w2w::cli {
namespace {

using Paths = std::vector<std::filesystem::path>;
const PlannedOutput coefficients{"coefficients", "person-7", ".safetensors"};
const PlannedOutput picture{"picture", "person-7", "_p1_s5.png"};
const PlannedOutput second_picture{"picture", "person-7", "_p1_s6.png"};

void touch(const std::filesystem::path& path) { std::ofstream(path) << "x"; }

TEST(OutputPaths, CurrentFolderWithoutOutput) {
  EXPECT_EQ(plan_outputs({}, {coefficients, picture}, false),
            (Paths{"person-7.safetensors", "person-7_p1_s5.png"}));
}

TEST(OutputPaths, FolderIsMade) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(plan_outputs((folder / "a/b").string(), {coefficients, picture}, false),
            (Paths{folder / "a/b/person-7.safetensors", folder / "a/b/person-7_p1_s5.png"}));
  EXPECT_TRUE(std::filesystem::is_directory(folder / "a/b"));
  EXPECT_TRUE(std::filesystem::is_empty(folder / "a/b")) << "the check of writability leaves nothing";
}

TEST(OutputPaths, ExtensionNamesTheOnlyOutputOfItsKind) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(
      plan_outputs((folder / "me.safetensors").string(), {coefficients, picture, second_picture}, false),
      (Paths{folder / "me.safetensors", folder / "me_p1_s5.png", folder / "me_p1_s6.png"}));
  EXPECT_EQ(plan_outputs((folder / "me.JPEG").string(), {coefficients, picture}, false),
            (Paths{folder / "me.safetensors", folder / "me.JPEG"}));
}

TEST(OutputPaths, FormatsThatNothingHasAreRefused) {
  const test::TemporaryFolder folder;
  const auto refused = [&](const char* name, const PlannedOutput& planned, const std::string& expected) {
    test::expect_error(ErrorKind::usage, "nothing here is written as " + expected,
                       [&] { plan_outputs((folder / name).string(), {planned}, false); });
  };
  refused("me.WebP", picture,
          ".webp (" + (folder / "me.WebP").string() + "); expected .jpg, .png or a folder");
  refused("me.ckpt", coefficients, ".ckpt");
  refused("me.safetensors", {"lora", "person-7", "_lora"}, ".safetensors");
  refused("me.safetensors", {"coefficients", "person-7", ".pt"}, ".safetensors");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(OutputPaths, CoefficientsMayBeATorchFile) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(plan_outputs((folder / "me.pt").string(), {coefficients, picture}, false),
            (Paths{folder / "me.pt", folder / "me_p1_s5.png"}));
}

TEST(OutputPaths, ExtensionIsAFolderWhenSeveralOrNoneSuit) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(plan_outputs((folder / "me.png").string(), {picture, second_picture}, false),
            (Paths{folder / "me.png/person-7_p1_s5.png", folder / "me.png/person-7_p1_s6.png"}));
  EXPECT_EQ(plan_outputs((folder / "run.2").string(), {coefficients}, false),
            (Paths{folder / "run.2/person-7.safetensors"}));
  std::filesystem::create_directory(folder / "old.safetensors");
  EXPECT_EQ(plan_outputs((folder / "old.safetensors").string(), {coefficients}, false),
            (Paths{folder / "old.safetensors/person-7.safetensors"}));
}

TEST(OutputPaths, ExistingFilesAreRefusedUnlessForced) {
  const test::TemporaryFolder folder;
  touch(folder / "person-7_p1_s5.png");
  const auto plan = [&](bool force) {
    return plan_outputs(folder.path().string(), {coefficients, picture}, force);
  };
  test::expect_error(ErrorKind::failure, "the output exists already", [&] { plan(false); });
  EXPECT_EQ(plan(true).size(), 2U);
  EXPECT_EQ(test::read_bytes(folder / "person-7_p1_s5.png"), "x") << "planning changes nothing";
}

TEST(OutputPaths, UnwritablePlacesAreRefused) {
  const test::TemporaryFolder folder;
  touch(folder / "file");
  test::expect_error(ErrorKind::failure, "cannot make the output folder",
                     [&] { plan_outputs((folder / "file/sub").string(), {picture}, false); });
  test::expect_error(ErrorKind::failure, "cannot make the output folder",
                     [&] { plan_outputs((folder / "file").string(), {picture}, false); });
  test::expect_error(ErrorKind::failure, "cannot write",
                     [&] { plan_outputs("/proc/me.png", {picture}, false); });
  std::filesystem::create_directory(folder / "person-7_p1_s5.png");
  test::expect_error(ErrorKind::failure, "is a folder, expected a file",
                     [&] { plan_outputs(folder.path().string(), {picture}, true); });
  test::expect_error(ErrorKind::usage, "found ''", [&] { plan_outputs("", {picture}, false); });
}

TEST(OutputPaths, TwoOutputsOfOneNameAreRefused) {
  const test::TemporaryFolder folder;
  test::expect_error(ErrorKind::usage, "the same name", [&] {
    plan_outputs(folder.path().string(), {picture, picture}, true);
  });
}

}  // namespace
}  // namespace w2w::cli
