#include "cli/files/manifest.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "w2w/base/atomic_file.h"

namespace w2w::cli {
namespace {

using test::expect_error;

TEST(Shard, PartsAreTheWholeAndDifferByOneAtMost) {
  const std::vector<int> all = {0, 1, 2, 3, 4, 5, 6};
  EXPECT_EQ(Shard::parse("1/3").of(all), (std::vector<int>{0, 3, 6}));
  EXPECT_EQ(Shard::parse("2/3").of(all), (std::vector<int>{1, 4}));
  EXPECT_EQ(Shard::parse("3/3").of(all), (std::vector<int>{2, 5}));
  EXPECT_EQ(Shard::parse("1/1").of(all), all);
  EXPECT_TRUE(Shard::parse("9/9").of(all).empty());
}

TEST(Shard, RefusesWhatIsNoPart) {
  for (const auto* text : {"", "2", "0/2", "3/2", "-1/2", "1/0", "1/2/3", "a/b", "1.5/2"}) {
    expect_error(ErrorKind::usage, "--shard expects", [&] { Shard::parse(text); });
  }
}

TEST(Manifest, NamesPathsAndFurtherColumns) {
  const test::TemporaryFolder folder;
  for (const auto* name : {"a.png", "b.png"}) write_file(folder / name, "");
  std::filesystem::create_directory(folder / "cleo");
  write_file(folder / "people.csv", "prompt,image,name\nsks cat,a.png,\n,b.png,bob\n,cleo/,\n");
  const auto lines = read_manifest(folder / "people.csv", {"prompt", "mask"});
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].name, "a");
  EXPECT_EQ(lines[0].more.at("prompt"), "sks cat");
  EXPECT_EQ(lines[1].name, "bob");
  EXPECT_EQ(lines[1].image, folder / "b.png");
  EXPECT_TRUE(lines[1].more.empty());
  EXPECT_EQ(lines[2].name, "cleo");
  EXPECT_FALSE(lines[1].file("mask", folder / "people.csv"));
}

}  // namespace
}  // namespace w2w::cli
